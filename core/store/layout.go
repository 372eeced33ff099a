package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/libsds/libsds/core/snapshot"
)

// SchemaVersion is the version of what lies in the file, and the only one that
// this package reads and writes.
const SchemaVersion = 1

// pageBytes is the unit in which the file is written. Several messages fit into
// it, and an operation changes six or so.
const pageBytes = 8 << 10

// MaxIDBytes is the longest id that fits into a key, behind what comes before it
// there.
const MaxIDBytes = bolt.MaxKeySize - 2*numberBytes

const numberBytes = 8

// The file, as buckets, keys and values. Numbers are big-endian and of 8 bytes,
// so that keys are in their order.
//
//	libsds     "schema"                          SchemaVersion, of 4 bytes
//	channels   <channel id>                      <channel number> and the blob of
//	                                             a snapshot.ChannelMeta
//	log        <channel number><lamport><message id>
//	                                             a message, without the filter
//	                                             it travelled with
//	hints      <channel number><message id>      a retrieval hint
//
// A channel's log lies together and in its own order: appending to it and
// evicting from it touch a page at each end, however long it is. Its number is
// its own for ever, also when its id comes back after it was dropped.
var (
	headerBucket   = []byte("libsds")
	schemaKey      = []byte("schema")
	channelsBucket = []byte("channels")
	logBucket      = []byte("log")
	hintsBucket    = []byte("hints")
)

// logFill is how full pages of the log are made before the next is begun:
// messages mostly join at the end.
const logFill = 0.95

// header reads the version of the schema; ok is false when the file has none,
// and isNew when it has nothing at all.
func header(tx *bolt.Tx) (version uint32, ok, isNew bool) {
	if b := tx.Bucket(headerBucket); b != nil {
		if value := b.Get(schemaKey); len(value) == 4 {
			return binary.BigEndian.Uint32(value), true, false
		}
		return 0, false, false
	}
	first, _ := tx.Cursor().First()
	return 0, false, first == nil
}

// writeHeader makes a new file one of ours.
func writeHeader(tx *bolt.Tx) error {
	for _, name := range [][]byte{channelsBucket, logBucket, hintsBucket} {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	b, err := tx.CreateBucket(headerBucket)
	if err != nil {
		return err
	}
	return b.Put(schemaKey, binary.BigEndian.AppendUint32(nil, SchemaVersion))
}

// tables are the buckets of a file within a transaction.
type tables struct {
	channels, log, hints *bolt.Bucket
}

func tablesOf(tx *bolt.Tx) (tables, error) {
	t := tables{channels: tx.Bucket(channelsBucket), log: tx.Bucket(logBucket), hints: tx.Bucket(hintsBucket)}
	if t.channels == nil || t.log == nil || t.hints == nil {
		return t, fmt.Errorf("%w: one of its buckets is missing", ErrDamaged)
	}
	t.log.FillPercent = logFill
	return t, nil
}

// channel is one channel within a transaction.
type channel struct {
	tables
	id     []byte
	number uint64
	meta   []byte // as it was when the channel was found
}

// channel finds a channel.
func (t tables) channel(id string) (c channel, known bool, err error) {
	return t.parse([]byte(id), t.channels.Get([]byte(id)))
}

// parse reads the entry of a channel; nil is none.
func (t tables) parse(id, entry []byte) (c channel, known bool, err error) {
	c = channel{tables: t, id: id}
	switch {
	case entry == nil:
		return c, false, nil
	case len(entry) < numberBytes:
		return c, false, fmt.Errorf("%w: the entry of channel %q has %d bytes", ErrDamaged, id, len(entry))
	}
	c.number, c.meta = binary.BigEndian.Uint64(entry), entry[numberBytes:]
	return c, true, nil
}

// make finds a channel, which is new when there was none.
func (t tables) make(id string) (channel, error) {
	c, known, err := t.channel(id)
	if err != nil || known {
		return c, err
	}
	if c.number, err = t.channels.NextSequence(); err != nil {
		return c, err
	}
	return c, c.putMeta(nil)
}

// each visits the channels in the order of their ids.
func (t tables) each(visit func(id string, meta []byte) bool) error {
	cursor := t.channels.Cursor()
	for id, entry := cursor.First(); id != nil; id, entry = cursor.Next() {
		c, _, err := t.parse(id, entry)
		if err != nil {
			return err
		}
		if !visit(string(id), c.meta) {
			break
		}
	}
	return nil
}

func (c *channel) putMeta(meta []byte) error {
	return c.channels.Put(c.id, slices.Concat(c.key(), meta))
}

// key begins every key of the channel in the other two buckets.
func (c *channel) key() []byte { return binary.BigEndian.AppendUint64(nil, c.number) }

func (c *channel) logKey(lamport uint64, messageID string) []byte {
	key := binary.BigEndian.AppendUint64(make([]byte, 0, 2*numberBytes+len(messageID)), c.number)
	return append(binary.BigEndian.AppendUint64(key, lamport), messageID...)
}

func (c *channel) hintKey(messageID string) []byte { return append(c.key(), messageID...) }

// update changes the log. What leaves it comes first: a message can be replaced
// by another of the same id, whose hint is not that of the one before.
func (c *channel) update(u *snapshot.HistoryUpdate) error {
	for _, key := range u.Gone {
		if err := c.log.Delete(c.logKey(key.Lamport, key.MessageID)); err != nil {
			return err
		}
		if err := c.hints.Delete(c.hintKey(key.MessageID)); err != nil {
			return err
		}
	}
	for i := range u.Append {
		record := &u.Append[i]
		if err := c.log.Put(c.logKey(record.Lamport, record.MessageID), record.Message); err != nil {
			return err
		}
	}
	return nil
}

func (c *channel) putHints(hints []snapshot.RetrievalHint) error {
	for _, hint := range hints {
		if err := c.hints.Put(c.hintKey(hint.MessageID), hint.Hint); err != nil {
			return err
		}
	}
	return nil
}

// drop forgets the channel.
func (c *channel) drop() error {
	for _, bucket := range []*bolt.Bucket{c.log, c.hints} {
		prefix, cursor := c.key(), bucket.Cursor()
		for key, _ := cursor.Seek(prefix); bytes.HasPrefix(key, prefix); key, _ = cursor.Seek(prefix) {
			if err := cursor.Delete(); err != nil {
				return err
			}
		}
	}
	return c.channels.Delete(c.id)
}

// eachMessage visits the messages of the log, oldest first. The bytes are those
// of the file, for the duration of the call.
func (c *channel) eachMessage(visit func(message []byte)) {
	c.entries(c.log, func(_, message []byte) { visit(message) })
}

func (c *channel) eachHint(visit func(messageID string, hint []byte)) {
	c.entries(c.hints, func(id, hint []byte) { visit(string(id), hint) })
}

func (c *channel) entries(bucket *bolt.Bucket, visit func(rest, value []byte)) {
	prefix, cursor := c.key(), bucket.Cursor()
	for key, value := cursor.Seek(prefix); bytes.HasPrefix(key, prefix); key, value = cursor.Next() {
		visit(key[len(prefix):], value)
	}
}
