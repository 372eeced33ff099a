package store

import (
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/libsds/libsds/core/snapshot"
)

// SchemaVersion is the version of what lies in the file, and the only one that
// this package reads and writes.
const SchemaVersion = 1

// MaxIDBytes is the longest id that fits into a key, with the Lamport timestamp
// before it.
const MaxIDBytes = bolt.MaxKeySize - lamportBytes

const lamportBytes = 8

// The file, as buckets and keys:
//
//	libsds/schema                 SchemaVersion, a big-endian uint32
//	channels/<channel id>/meta    the blob of a snapshot.ChannelMeta
//	channels/<channel id>/log/<lamport, big-endian><message id>
//	                              a message, without the filter it travelled with
//	channels/<channel id>/hints/<message id>
//	                              a retrieval hint
//
// So the log is in its own order, and appending to it and evicting from it touch
// one page at each end, however many messages it has.
var (
	headerBucket   = []byte("libsds")
	schemaKey      = []byte("schema")
	channelsBucket = []byte("channels")
	metaKey        = []byte("meta")
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
	b, err := tx.CreateBucket(headerBucket)
	if err != nil {
		return err
	}
	if _, err := tx.CreateBucket(channelsBucket); err != nil {
		return err
	}
	return b.Put(schemaKey, binary.BigEndian.AppendUint32(nil, SchemaVersion))
}

// channel is the bucket of one channel within a transaction.
type channel struct {
	bucket *bolt.Bucket
}

// channels returns the bucket of all channels, which every file of ours has.
func channels(tx *bolt.Tx) (*bolt.Bucket, error) {
	if b := tx.Bucket(channelsBucket); b != nil {
		return b, nil
	}
	return nil, fmt.Errorf("%w: it has no channels bucket", ErrDamaged)
}

func openChannel(tx *bolt.Tx, id string) (c channel, known bool) {
	if b := tx.Bucket(channelsBucket); b != nil {
		c.bucket = b.Bucket([]byte(id))
	}
	return c, c.bucket != nil
}

func makeChannel(tx *bolt.Tx, id string) (channel, error) {
	all, err := channels(tx)
	if err != nil {
		return channel{}, err
	}
	b, err := all.CreateBucketIfNotExists([]byte(id))
	return channel{b}, err
}

func dropChannel(tx *bolt.Tx, id string) error {
	all, err := channels(tx)
	if err != nil || all.Bucket([]byte(id)) == nil {
		return err
	}
	return all.DeleteBucket([]byte(id))
}

func eachChannel(tx *bolt.Tx, visit func(id string, meta []byte) bool) error {
	all, err := channels(tx)
	if err != nil {
		return err
	}
	cursor := all.Cursor()
	for id, _ := cursor.First(); id != nil; id, _ = cursor.Next() {
		if b := all.Bucket(id); b != nil && !visit(string(id), channel{b}.meta()) {
			break
		}
	}
	return nil
}

func (c channel) meta() []byte { return c.bucket.Get(metaKey) }

func (c channel) putMeta(meta []byte) error { return c.bucket.Put(metaKey, meta) }

// update changes the log. What leaves it comes first: a message can be replaced
// by another of the same id, whose hint is not that of the one before.
func (c channel) update(u *snapshot.HistoryUpdate) error {
	if u.Empty() {
		return nil
	}
	log, err := c.bucket.CreateBucketIfNotExists(logBucket)
	if err != nil {
		return err
	}
	log.FillPercent = logFill
	hints := c.bucket.Bucket(hintsBucket)
	for _, key := range u.Gone {
		if err := log.Delete(logKey(key.Lamport, key.MessageID)); err != nil {
			return err
		}
		if hints == nil {
			continue
		}
		if err := hints.Delete([]byte(key.MessageID)); err != nil {
			return err
		}
	}
	for i := range u.Append {
		record := &u.Append[i]
		if err := log.Put(logKey(record.Lamport, record.MessageID), record.Message); err != nil {
			return err
		}
	}
	return nil
}

func logKey(lamport uint64, id string) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, lamportBytes+len(id)), lamport), id...)
}

func (c channel) putHints(hints []snapshot.RetrievalHint) error {
	if len(hints) == 0 {
		return nil
	}
	b, err := c.bucket.CreateBucketIfNotExists(hintsBucket)
	if err != nil {
		return err
	}
	for _, hint := range hints {
		if err := b.Put([]byte(hint.MessageID), hint.Hint); err != nil {
			return err
		}
	}
	return nil
}

// eachMessage calls visit for every message of the log, oldest first. The bytes
// are those of the file, for the duration of the call.
func (c channel) eachMessage(visit func(message []byte)) error {
	return each(c.bucket.Bucket(logBucket), func(_, message []byte) { visit(message) })
}

func (c channel) eachHint(visit func(messageID string, hint []byte)) error {
	return each(c.bucket.Bucket(hintsBucket), func(id, hint []byte) { visit(string(id), hint) })
}

func each(b *bolt.Bucket, visit func(key, value []byte)) error {
	if b == nil {
		return nil
	}
	return b.ForEach(func(key, value []byte) error {
		visit(key, value)
		return nil
	})
}
