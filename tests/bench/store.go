package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/store"
)

// storeRows measures operations that are on disk when they return, in the folder
// build, beside writing as many bytes to a file there and waiting for the disk.
func storeRows() []row {
	folder, err := os.MkdirTemp("build", "bench-store")
	must(err)
	defer func() { must(os.RemoveAll(folder)) }()
	rows := fullRows(folder)
	rows = append(rows, batchRows(folder)...)
	return append(rows, bootstrapRow(folder))
}

// durable is a receiver whose channels are kept in a file, and who sends to it.
// The senders hear nothing, so each cites messages of its own.
type durable struct {
	receiver *core.Manager
	senders  [callers]*core.Manager
	path     string
	history  int
	idBytes  int
	// citations is how many of its own messages each message cites.
	citations int
	sequence  atomic.Int64
	content   []byte
}

// newDurable returns a receiver with the given channels, whose logs are full.
func newDurable(path string, mode core.StoreSync, channels ...string) *durable {
	d := &durable{path: path, history: core.DefaultConfig().MaxMessageHistory, idBytes: 64, citations: 10, content: make([]byte, contentBytes)}
	d.fill(mode, channels)
	return d
}

// fill makes the senders, and the receiver with full logs.
func (d *durable) fill(mode core.StoreSync, channels []string) {
	for i := range d.senders {
		sender, err := core.New(core.Options{ParticipantID: fmt.Sprint("sender ", i), Config: unbounded(d.citations), Handler: func(core.Event) {}})
		must(err)
		d.senders[i] = sender
	}
	d.receiver = d.open(core.StoreSyncBatch)
	atOnce(len(channels), func(i int) {
		for sequence := range d.history + 50 {
			d.unwrap(d.payload(channels[i], sequence%callers))
		}
	})
	d.receiver.Close()
	d.receiver = d.open(mode)
	for _, channel := range channels {
		must(d.receiver.EnsureChannel(channel))
	}
}

// unbounded lets a sender go on without anybody's acknowledgement.
func unbounded(citations int) *core.Config {
	config := core.DefaultConfig()
	config.MaxCausalHistory = citations
	config.Limits.MaxOutgoingMessages = 10_000_000
	return &config
}

// open opens the receiver on its file.
func (d *durable) open(sync core.StoreSync) *core.Manager {
	config := core.DefaultConfig()
	config.StorePath, config.StoreSync, config.MaxMessageHistory = d.path, sync, d.history
	m, err := core.New(core.Options{ParticipantID: "receiver", Config: &config, Handler: func(core.Event) {}})
	must(err)
	return m
}

func (d *durable) payload(channel string, sender int) []byte {
	payload, err := d.senders[sender].Wrap(nil, channel, fmt.Sprintf("%0*d", d.idBytes, d.sequence.Add(1)), d.content)
	must(err)
	return payload
}

func (d *durable) unwrap(payload []byte) {
	_, err := d.receiver.Unwrap(payload)
	must(err)
}

// savedBytes is what the last operation on a channel saved: its meta and one
// message.
func (d *durable) savedBytes(channel string) int {
	d.receiver.Close()
	s, err := store.Open(d.path)
	must(err)
	kept, err := s.LoadChannel(channel)
	must(err)
	must(s.Close())
	return len(kept.Meta) + len(kept.History[len(kept.History)-1])
}

func fullRows(folder string) []row {
	d := newDurable(filepath.Join(folder, "full"), core.StoreSyncFull, "channel")
	saved := d.savedBytes("channel")
	d.receiver = d.open(core.StoreSyncFull)
	must(d.receiver.EnsureChannel("channel"))

	raw, err := os.Create(filepath.Join(folder, "raw"))
	must(err)
	defer func() { must(raw.Close()) }()
	block := make([]byte, saved)
	var yards, times, ratios []float64
	for range 300 {
		payload := d.payload("channel", 0)
		yard := once(func() {
			_, err := raw.Write(block)
			must(err)
			must(raw.Sync())
		})
		took := once(func() { d.unwrap(payload) })
		yards, times, ratios = append(yards, yard), append(times, took), append(ratios, took/yard)
	}
	d.receiver.Close()
	return []row{
		{what: fmt.Sprintf("yardstick: appending %d bytes to a file, and fsync", saved), value: median(yards) / 1000, unit: "us"},
		{what: "unwrap that saves as many, storeSync full", value: median(times) / 1000, unit: "us", ratio: median(ratios), to: "that", target: 2},
	}
}

// shortBytes is the content of the messages of many callers: short ones, of
// which there can be many.
const shortBytes = 100

// fewCitations is for as many senders as callers. The default of 10 would be too
// many: a log of 1,000 has forgotten some of them once one sender lags behind,
// and then its messages wait.
const fewCitations = 2

// callers is how many run at the same time where operations share commits.
const callers = 64

// throughput returns the operations a second of callers that unwrap at the same
// time, in channels of their own or all in one.
func throughput(folder string, sync core.StoreSync, channels, each int) float64 {
	names := make([]string, channels)
	for i := range names {
		names[i] = fmt.Sprint("channel", i)
	}
	path := filepath.Join(folder, "throughput")
	history := core.DefaultConfig().MaxMessageHistory
	if channels > 1 {
		history = 100 // to fill them all takes long
	}
	d := &durable{path: path, history: history, idBytes: 16, citations: fewCitations, content: make([]byte, shortBytes)}
	d.fill(sync, names)
	defer func() { must(os.Remove(path)) }()
	var payloads [callers][][]byte
	for range each {
		for caller := range payloads { // as many senders, so that each one's messages come in their order
			payloads[caller] = append(payloads[caller], d.payload(names[caller%channels], caller))
		}
	}
	took := atOnce(callers, func(caller int) {
		for _, payload := range payloads[caller] {
			d.unwrap(payload)
		}
	})
	d.receiver.Close()
	return float64(callers*each) / took.Seconds()
}

func atOnce(n int, work func(i int)) time.Duration {
	var group sync.WaitGroup
	start := time.Now()
	for i := range n {
		group.Go(func() { work(i) })
	}
	group.Wait()
	return time.Since(start)
}

func batchRows(folder string) []row {
	var rows []row
	for _, channels := range []int{1, callers} {
		var fulls, batches, ratios []float64
		for range 5 {
			full := throughput(folder, core.StoreSyncFull, channels, 10)
			batch := throughput(folder, core.StoreSyncBatch, channels, 100)
			fulls, batches, ratios = append(fulls, full), append(batches, batch), append(ratios, batch/full)
		}
		where, least := "in one channel", 20.
		if channels > 1 {
			where, least = "in a channel each", 0
		}
		rows = append(rows,
			row{what: fmt.Sprintf("storeSync full, %d callers %s, %d bytes", callers, where, shortBytes), value: median(fulls), unit: "/s"},
			row{what: fmt.Sprintf("storeSync batch, %d callers %s", callers, where), value: median(batches), unit: "/s", ratio: median(ratios), to: "full", least: least})
	}
	return rows
}

// bootstrapRow measures the first use of a channel with a full log.
func bootstrapRow(folder string) row {
	d := newDurable(filepath.Join(folder, "bootstrap"), core.StoreSyncFull, "channel")
	d.receiver.Close()
	var times []float64
	for range 50 {
		m := d.open(core.StoreSyncFull)
		times = append(times, once(func() { must(m.EnsureChannel("channel")) })/1e6)
		m.Close()
	}
	return row{what: "bootstrap of a channel with a full log, 1 KiB each", value: median(times), unit: "ms", target: 10}
}
