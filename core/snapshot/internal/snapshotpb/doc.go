// Package snapshotpb is generated from proto/snapshot.proto, by a recent protoc
// and the protoc-gen-go of the module's google.golang.org/protobuf. Only tests
// import it: it is the oracle for the codec of core/snapshot.
package snapshotpb

//go:generate protoc --proto_path=../../../../proto --go_out=. --go_opt=paths=source_relative --go_opt=Msnapshot.proto=github.com/libsds/libsds/core/snapshot/internal/snapshotpb snapshot.proto
