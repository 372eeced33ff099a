module gohost

go 1.25.0
