module cd-provider/stack/probe

go 1.26.0
