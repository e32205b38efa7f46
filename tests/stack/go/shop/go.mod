module cd-provider/stack/shop

go 1.26.0
