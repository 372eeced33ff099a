package conformance

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/libsds/libsds/core/bloom"
)

// bloomFile is vectors/bloom.json. Large integers are strings there.
type bloomFile struct {
	Vectors []struct {
		bloomParameters
		Words            int              `json:"ints"`
		IDs              []string         `json:"idsHex"`
		SerializedLen    int              `json:"serializedLen"`
		SerializedSHA256 string           `json:"serializedSha256"`
		SerializedHex    string           `json:"serializedHex"` // left out of large filters
		ErrorRateField   string           `json:"errorRateField"`
		PositionsByID    map[string][]int `json:"distinctBitPositionsByIdHex"` // of some vectors
	} `json:"vectors"`
	ForcedHashes []struct {
		bloomParameters
		Forced int    `json:"k"` // 0: none
		Error  string `json:"error"`
	} `json:"forcedK"`
	Deserialize []struct {
		Name  string           `json:"name"`
		Hex   string           `json:"hex"`
		OK    *bloomParameters `json:"ok"`
		Error string           `json:"error"`
	} `json:"deserialize"`
}

type bloomParameters struct {
	Capacity  json64  `json:"capacity"`
	ErrorRate float64 `json:"errorRate"`
	Hashes    json64  `json:"kHashes"`
	Bits      json64  `json:"mBits"`
}

// json64 is an integer that a vector holds as a number or as a string.
type json64 int64

func (n *json64) UnmarshalJSON(text []byte) error {
	if unquoted, err := strconv.Unquote(string(text)); err == nil {
		text = []byte(unquoted)
	}
	value, err := strconv.ParseInt(string(text), 10, 64)
	*n = json64(value)
	return err
}

// encodedFilter is a filter of the sds-* dialects, field by field.
type encodedFilter struct {
	Data                              []byte
	Capacity, ErrorRate, Hashes, Bits uint64
}

func decodeFilter(t *testing.T, encoded []byte) encodedFilter {
	t.Helper()
	var filter encodedFilter
	varints := map[protowire.Number]*uint64{2: &filter.Capacity, 3: &filter.ErrorRate, 4: &filter.Hashes, 5: &filter.Bits}
	for len(encoded) > 0 {
		number, _, n := protowire.ConsumeTag(encoded)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		encoded = encoded[n:]
		if number == 1 {
			filter.Data, n = protowire.ConsumeBytes(encoded)
		} else {
			*varints[number], n = protowire.ConsumeVarint(encoded)
		}
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		encoded = encoded[n:]
	}
	return filter
}

// setBits returns the positions that are set, ascending.
func setBits(data []byte) []int {
	var positions []int
	for at, b := range data {
		for bit := range 8 {
			if b>>bit&1 != 0 {
				positions = append(positions, 8*at+bit)
			}
		}
	}
	return positions
}

func TestFiltersAreThoseOfTheVectorsByteForByte(t *testing.T) {
	var file bloomFile
	loadVectors(t, "bloom", &file)
	if len(file.Vectors) == 0 {
		t.Fatal("no vectors")
	}
	for i, vector := range file.Vectors {
		t.Run(fmt.Sprintf("%d: %d ids in %d at %g", i, len(vector.IDs), vector.Capacity, vector.ErrorRate), func(t *testing.T) {
			filter := bloom.NewFilter(int(vector.Capacity), vector.ErrorRate)
			for _, id := range vector.IDs {
				filter.Add(bloom.FarmHash.Sum(string(unhex(t, id))))
			}
			encoded := filter.AppendTo(nil)

			if got := filter.EncodedLen(); got != vector.SerializedLen {
				t.Errorf("EncodedLen %d, want %d", got, vector.SerializedLen)
			}
			if sum := sha256.Sum256(encoded); hex.EncodeToString(sum[:]) != vector.SerializedSHA256 {
				t.Errorf("other bytes than the vector's")
			}
			if vector.SerializedHex != "" {
				if diff := cmp.Diff(vector.SerializedHex, hex.EncodeToString(encoded)); diff != "" {
					t.Errorf("encoding (-want +got):\n%s", diff)
				}
			}
			fields := decodeFilter(t, encoded)
			if fields.Hashes != uint64(vector.Hashes) || fields.Bits != uint64(vector.Bits) || len(fields.Data) != 8*vector.Words {
				t.Errorf("got k %d, m %d, %d bytes; want %d, %d, %d words",
					fields.Hashes, fields.Bits, len(fields.Data), vector.Hashes, vector.Bits, vector.Words)
			}
			if got := strconv.FormatUint(fields.ErrorRate, 10); got != vector.ErrorRateField {
				t.Errorf("error rate field %s, want %s", got, vector.ErrorRateField)
			}
			for _, id := range vector.IDs {
				if !filter.Contains(bloom.FarmHash.Sum(string(unhex(t, id)))) {
					t.Errorf("id %s was added and is denied", id)
				}
			}
		})
	}
}

func TestPositionsAreThoseOfTheVectors(t *testing.T) {
	var file bloomFile
	loadVectors(t, "bloom", &file)
	checked := 0
	for _, vector := range file.Vectors {
		for id, positions := range vector.PositionsByID {
			filter := bloom.NewFilter(int(vector.Capacity), vector.ErrorRate)
			filter.Add(bloom.FarmHash.Sum(string(unhex(t, id))))
			want := slices.Sorted(slices.Values(positions))
			if diff := cmp.Diff(want, setBits(decodeFilter(t, filter.AppendTo(nil)).Data)); diff != "" {
				t.Errorf("id %s in %d at %g (-want +got):\n%s", id, vector.Capacity, vector.ErrorRate, diff)
			}
			checked++
		}
	}
	if checked == 0 {
		t.Fatal("no vector names positions")
	}
}

// The replaced library can be told how many hashes to use (k) and then looks up
// the bits that takes. Nothing ever told it to, a received filter names its own
// k, and libsds has no such option: it always derives k, and the bits from the
// error rate alone.
func TestNumberOfHashesIsDerivedNeverForced(t *testing.T) {
	var file bloomFile
	loadVectors(t, "bloom", &file)
	derived, byDesignDifferent := 0, 0
	perRate := map[float64]encodedFilter{}
	for _, entry := range file.ForcedHashes {
		fields := decodeFilter(t, bloom.NewFilter(int(entry.Capacity), entry.ErrorRate).AppendTo(nil))
		if entry.Forced == 0 {
			derived++
			if fields.Hashes != uint64(entry.Hashes) || fields.Bits != uint64(entry.Bits) {
				t.Errorf("%d at %g: got k %d, m %d; want %d, %d",
					entry.Capacity, entry.ErrorRate, fields.Hashes, fields.Bits, entry.Hashes, entry.Bits)
			}
			continue
		}
		byDesignDifferent++
		if first, seen := perRate[entry.ErrorRate]; !seen {
			perRate[entry.ErrorRate] = fields
		} else if diff := cmp.Diff(first, fields); diff != "" {
			t.Errorf("%d at %g depends on more than both (-first +later):\n%s", entry.Capacity, entry.ErrorRate, diff)
		}
	}
	if derived != 3 || byDesignDifferent != 32 {
		t.Errorf("%d entries derived and %d forced, want 3 and 32", derived, byDesignDifferent)
	}
}

// The replaced library requires all five fields and checks nothing else. We
// use what we need, and only where it makes sense (PROTOCOL, section 2).
func TestReceivedFilterIsUsedByOurRules(t *testing.T) {
	rules := map[string]struct {
		used    bool // by libsds
		differs bool
		reason  string
	}{
		"empty":                       {used: false, reason: "no field at all"},
		"9 bytes (not multiple of 8)": {used: false, differs: true, reason: "data is not whole words: no writer makes that"},
		"zeros":                       {used: false, differs: true, reason: "k and m are 0: a test against it would divide by zero, or find everything"},
		"missing field 2":             {used: true, differs: true, reason: "the capacity only informs"},
		"missing field 4":             {used: false, reason: "without k there is no test"},
		"capacity 2^63":               {used: true, differs: true, reason: "the capacity only informs"},
	}
	var file bloomFile
	loadVectors(t, "bloom", &file)
	differences := 0
	for _, entry := range file.Deserialize {
		rule, known := rules[entry.Name]
		if !known {
			t.Errorf("%q: no rule for this entry", entry.Name)
			continue
		}
		if _, used := bloom.ParseSDS(unhex(t, entry.Hex)); used != rule.used {
			t.Errorf("%q: used %v, want %v, because: %s", entry.Name, used, rule.used, rule.reason)
		}
		theirs := entry.OK != nil
		if (theirs != rule.used) != rule.differs {
			t.Errorf("%q: they accept it: %v, we: %v; listed as a difference: %v", entry.Name, theirs, rule.used, rule.differs)
		}
		if rule.differs {
			differences++
		}
	}
	if len(file.Deserialize) != len(rules) || differences != 4 {
		t.Errorf("%d entries with %d differences, want %d with 4", len(file.Deserialize), differences, len(rules))
	}
}
