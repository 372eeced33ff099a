// Command vectors writes the payloads, filters and snapshots of the conformance
// vectors into a folder, a file each, in one folder for each decoder of
// tests/fuzz/decoders: the inputs that fuzzing starts from.
//
//	vectors FOLDER
package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"log"
	"os"
	"path/filepath"
)

const source = "tests/conformance/vectors"

// lists are where the vectors are: file, list in it, field, and whom it is for.
var lists = []struct {
	file, list, field string
	decoders          []string
}{
	{"wire.json", "vectors", "wireHex", []string{"message"}},
	{"wire.json", "decode", "wireHex", []string{"message"}},
	{"bloom.json", "vectors", "serializedHex", []string{"filter"}},
	{"bloom.json", "deserialize", "hex", []string{"filter"}},
	{"snapshot.json", "channelMeta", "hex", []string{"meta"}},
	{"snapshot.json", "channelData", "hex", []string{"data"}},
	{"snapshot.json", "decode", "hex", []string{"meta", "data", "update"}},
}

var configs = []string{`{}`, `{"maxMessageHistory": 10, "wireFormat": "sds-0.3", "ackConfidence": 1e-6, "acceptUnknownChannels": false}`}

func main() {
	log.SetFlags(0)
	log.SetPrefix("vectors: ")
	if len(os.Args) != 2 {
		log.Fatal("usage: vectors FOLDER")
	}
	for _, config := range configs {
		write("config", []byte(config))
	}
	for _, l := range lists {
		for _, vector := range read(l.file, l.list) {
			text, ok := vector[l.field].(string)
			if !ok { // of some, only a hash is there
				continue
			}
			input, err := hex.DecodeString(text)
			if err != nil {
				log.Fatalf("%s: %v", l.file, err)
			}
			for _, decoder := range l.decoders {
				write(decoder, input)
			}
		}
	}
}

func read(file, list string) (vectors []map[string]any) {
	text, err := os.ReadFile(filepath.Join(source, file))
	if err != nil {
		log.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err = json.Unmarshal(text, &all); err == nil {
		err = json.Unmarshal(all[list], &vectors)
	}
	if err != nil {
		log.Fatalf("%s: %s: %v", file, list, err)
	}
	return vectors
}

func write(decoder string, input []byte) {
	folder := filepath.Join(os.Args[1], decoder)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		log.Fatal(err)
	}
	sum := fnv.New64a()
	sum.Write(input)
	if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%016x", sum.Sum64())), input, 0o644); err != nil {
		log.Fatal(err)
	}
}
