module example

go 1.25.0

require (
	github.com/logos-messaging/sds-go-bindings v0.0.0
	go.uber.org/zap v1.27.0
)

require (
	github.com/bits-and-blooms/bitset v1.29.0 // indirect
	github.com/bits-and-blooms/bloom/v3 v3.7.1 // indirect
	github.com/google/btree v1.1.3 // indirect
	github.com/libsds/libsds v0.1.0 // indirect
	go.etcd.io/bbolt v1.5.0 // indirect
	go.uber.org/multierr v1.10.0 // indirect
	go.uber.org/zap/exp v0.3.0 // indirect
	golang.org/x/sys v0.45.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

// The one line that moves the program over.
replace github.com/logos-messaging/sds-go-bindings => ..

// Only while the library is taken from a working tree: see docs/porting-go.md.
replace github.com/libsds/libsds => ../../..
