module github.com/libsds/libsds

go 1.25.0

require (
	github.com/bits-and-blooms/bloom/v3 v3.7.1
	github.com/dgryski/go-farm v0.0.0-20240924180020-3414d57e47da
	github.com/google/btree v1.1.3
	github.com/google/go-cmp v0.7.0
	github.com/mattn/go-pointer v0.0.1
	go.etcd.io/bbolt v1.5.0
	google.golang.org/protobuf v1.36.12
	pgregory.net/rapid v1.3.0
)

require (
	github.com/bits-and-blooms/bitset v1.29.0 // indirect
	golang.org/x/sys v0.45.0 // indirect
)
