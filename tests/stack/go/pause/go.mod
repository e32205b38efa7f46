module cd-provider/stack/pause

go 1.26.0
