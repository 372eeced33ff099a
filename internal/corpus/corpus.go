// Package corpus reads the inputs of tests/fuzz/corpus, which Go's fuzzing and
// libFuzzer share: there is a folder for each decoder and for the stories of
// core/channel.
package corpus

import (
	"os"
	"path/filepath"
	"testing"
)

// Inputs returns the inputs of a folder, which is named from the package under
// test. An empty one fails the test: it would start from nothing without a word.
func Inputs(t testing.TB, folder string) (inputs [][]byte) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		input, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		inputs = append(inputs, input)
	}
	if len(inputs) == 0 {
		t.Fatalf("%s is empty", folder)
	}
	return inputs
}
