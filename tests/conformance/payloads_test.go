package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/libsds/libsds/core"
)

// foreign is a kind of payloads that are not SDS.
type foreign struct {
	name string
	make func(*rand.Rand) []byte
	// read is how many of so many are read as SDS although they are not: what no
	// reader can tell from it, for the reason that docs/compat.md gives.
	count, read int
}

var foreigners = []foreign{
	{"text", text, 20_000, 0},
	{"JSON", jsonText, 20_000, 0},
	{"random bytes", randomBytes, 20_000, 0},
	{"protobuf of any fields", anyProtobuf, 15_000, 5},
	{"a string in field 1, a varint in field 2", stringAndVarint, 15_000, 597},
	{"Waku messages", wakuMessage, 5_000, 0},
	{"google.protobuf.Any, Timestamp and StringValue", wellKnown, 2_000, 0},
	{"the Person of protobuf's tutorial, with phones", person, 2_000, 2_000},
	{"the Person of protobuf's tutorial, without phones", personWithoutPhones, 1_000, 0},
}

// TestPayloadsThatAreNotSDSStayNotSDS: hosts deliver as it is what is refused, so
// nothing else may pass. What does has the shape of SDS, and is counted.
func TestPayloadsThatAreNotSDSStayNotSDS(t *testing.T) {
	total, passed := 0, 0
	for i, kind := range foreigners {
		random := rand.New(rand.NewPCG(109, uint64(i)))
		manager, err := core.New(core.Options{ParticipantID: "alice"})
		if err != nil {
			t.Fatal(err)
		}
		read := 0
		for range kind.count {
			payload := kind.make(random)
			_, err := manager.Unwrap(payload)
			switch {
			case err == nil && !hasShape(payload):
				t.Errorf("%s: read: %x", kind.name, payload)
			case err == nil:
				read++
			case !errors.Is(err, core.ErrDeserialization):
				t.Errorf("%s: %v: %x", kind.name, err, payload)
			}
		}
		if read != kind.read {
			t.Errorf("%s: %d of %d are read, not %d", kind.name, read, kind.count, kind.read)
		}
		if read == 0 && len(manager.Channels()) > 0 {
			t.Errorf("%s: what is refused makes channels", kind.name)
		}
		manager.Close()
		total, passed = total+kind.count, passed+read
	}
	t.Logf("%d payloads, %d of them read", total, passed)
	if total != 100_000 {
		t.Errorf("%d payloads", total)
	}
}

// hasShape tells whether a payload is a protobuf message that has what every SDS
// message has: two ids where an sds-* format has them, and a number in field 2 or
// bytes in field 5; or two where lip-109 has them, and a number in field 10 or bytes
// in field 20. There is nothing else to tell them by.
func hasShape(payload []byte) bool {
	ids, numbers, bytes := map[protowire.Number]bool{}, map[protowire.Number]bool{}, map[protowire.Number]bool{}
	for len(payload) > 0 {
		number, typ, n := protowire.ConsumeTag(payload)
		if n < 0 {
			return false
		}
		payload = payload[n:]
		n = protowire.ConsumeFieldValue(number, typ, payload)
		if n < 0 {
			return false
		}
		ids[number], numbers[number], bytes[number] = false, typ == protowire.VarintType, typ == protowire.BytesType
		if typ == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(payload)
			ids[number] = len(value) > 0 && utf8.Valid(value)
		}
		payload = payload[n:]
	}
	return ids[1] && ids[4] && (numbers[2] || bytes[5]) || ids[2] && ids[3] && (numbers[10] || bytes[20])
}

var words = strings.Fields("the beans are up frost tonight cover them grüße 世界 🌱 https://example.org/a?b=c #garden 12:34 ok\u0000 \t\n \u202e")

func text(random *rand.Rand) []byte {
	said := make([]string, random.IntN(30))
	for i := range said {
		said[i] = words[random.IntN(len(words))]
	}
	return []byte(strings.Join(said, " "))
}

func jsonText(random *rand.Rand) []byte {
	encoded, err := json.Marshal(jsonValue(random, 3))
	if err != nil {
		panic(err)
	}
	return encoded
}

func jsonValue(random *rand.Rand, depth int) any {
	switch kind := random.IntN(6); {
	case kind == 0 && depth > 0:
		object := map[string]any{}
		for range random.IntN(6) {
			object[words[random.IntN(len(words))]] = jsonValue(random, depth-1)
		}
		return object
	case kind == 1 && depth > 0:
		array := make([]any, random.IntN(6))
		for i := range array {
			array[i] = jsonValue(random, depth-1)
		}
		return array
	case kind == 2:
		return random.NormFloat64()
	case kind == 3:
		return random.Int32()
	case kind == 4:
		return random.IntN(2) == 0
	}
	return string(text(random))
}

func randomBytes(random *rand.Rand) []byte {
	payload := make([]byte, random.IntN(300))
	for i := range payload {
		payload[i] = byte(random.Uint32())
	}
	return payload
}

// field appends a field of any type.
func field(payload []byte, random *rand.Rand, number protowire.Number, depth int) []byte {
	switch random.IntN(6) {
	case 0, 1:
		payload = protowire.AppendTag(payload, number, protowire.VarintType)
		return protowire.AppendVarint(payload, random.Uint64()>>random.IntN(64))
	case 2:
		payload = protowire.AppendTag(payload, number, protowire.Fixed32Type)
		return protowire.AppendFixed32(payload, random.Uint32())
	case 3:
		payload = protowire.AppendTag(payload, number, protowire.Fixed64Type)
		return protowire.AppendFixed64(payload, random.Uint64())
	case 4:
		if depth > 0 {
			payload = protowire.AppendTag(payload, number, protowire.BytesType)
			return protowire.AppendBytes(payload, fields(random, depth-1))
		}
	}
	payload = protowire.AppendTag(payload, number, protowire.BytesType)
	return protowire.AppendString(payload, words[random.IntN(len(words))])
}

// fields is a message of up to eight fields, in ascending order as writers have it.
func fields(random *rand.Rand, depth int) (payload []byte) {
	number := protowire.Number(0)
	for range 1 + random.IntN(8) {
		number += protowire.Number(1 + random.IntN(3))
		payload = field(payload, random, number, depth)
	}
	return payload
}

func anyProtobuf(random *rand.Rand) []byte { return fields(random, 2) }

// stringAndVarint begins like an sds-* message and goes on like anything.
func stringAndVarint(random *rand.Rand) []byte {
	payload := stringField(nil, 1, words[random.IntN(len(words))])
	payload = varintField(payload, 2, random.Uint64()>>random.IntN(64))
	number := protowire.Number(2)
	for range random.IntN(6) {
		number += protowire.Number(1 + random.IntN(3))
		payload = field(payload, random, number, 2)
	}
	return payload
}

func stringField(payload []byte, number protowire.Number, value string) []byte {
	return protowire.AppendString(protowire.AppendTag(payload, number, protowire.BytesType), value)
}

func varintField(payload []byte, number protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(payload, number, protowire.VarintType), value)
}

// wakuMessage is what carries SDS in the field: a payload, a content topic, which
// is a string in field 2, a version, a timestamp in field 10, and more.
func wakuMessage(random *rand.Rand) []byte {
	payload := stringField(nil, 1, string(randomBytes(random)))
	payload = stringField(payload, 2, fmt.Sprintf("/app/%d/chat/proto", random.IntN(10)))
	if random.IntN(2) == 0 {
		payload = varintField(payload, 3, uint64(random.IntN(3)))
	}
	payload = varintField(payload, 10, protowire.EncodeZigZag(1_760_000_000_000_000_000+random.Int64N(1e15)))
	if random.IntN(2) == 0 {
		payload = stringField(payload, 11, string(randomBytes(random)))
	}
	if random.IntN(4) == 0 {
		payload = varintField(payload, 31, 1)
	}
	return payload
}

func wellKnown(random *rand.Rand) []byte {
	switch random.IntN(3) {
	case 0:
		return stringField(stringField(nil, 1, "type.googleapis.com/app.Message"), 2, string(fields(random, 1)))
	case 1:
		return varintField(varintField(nil, 1, 1_760_000_000+random.Uint64N(1e6)), 2, random.Uint64N(1e9))
	}
	return stringField(nil, 1, words[random.IntN(len(words))])
}

// person has a name, a number, an address and telephones in fields 1 to 4. A
// telephone is a message, but its bytes are those of a string, too.
func person(random *rand.Rand) []byte {
	payload := personWithoutPhones(random)
	for range 1 + random.IntN(3) {
		phone := stringField(nil, 1, fmt.Sprintf("+41 %07d", random.IntN(1e7)))
		payload = stringField(payload, 4, string(varintField(phone, 2, random.Uint64N(3))))
	}
	return payload
}

func personWithoutPhones(random *rand.Rand) []byte {
	payload := stringField(nil, 1, words[random.IntN(len(words))])
	payload = varintField(payload, 2, random.Uint64N(1e5))
	return stringField(payload, 3, "somebody@example.org")
}
