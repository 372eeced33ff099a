package main

import (
	"bytes"
	"fmt"

	"github.com/libsds/libsds/core/channel"
	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/wire"
)

// snapshotRows measures what is saved after every operation: its cost and its
// size with so many messages unacknowledged.
func snapshotRows() []row {
	var rows []row
	for _, ids := range []int{16, 64} {
		for _, size := range []int{100, 1024} {
			for _, count := range []int{0, 10, 100} {
				c := unacknowledged(count, size, ids)
				var blob []byte
				cost := often(func(int) { blob = c.AppendMeta(blob[:0]) })
				what := fmt.Sprintf("snapshot, %d messages of %d bytes, ids of %d", count, size, ids)
				r := row{what: what, value: cost / 1000, unit: "us"}
				bytes := row{what: "  its size", value: float64(len(blob)) / 1000, unit: "KB"}
				if count == 100 && size == 100 {
					r.target = 30
					if ids == 16 {
						bytes.target = 60
					}
				}
				rows = append(rows, r, bytes)
			}
		}
	}
	return rows
}

// unacknowledged is a channel with so many own messages that nobody has
// acknowledged, each citing ten others.
func unacknowledged(count, size, ids int) *channel.Channel {
	c := channel.New("channel", &channel.Config{
		ParticipantID: "alice", Format: wire.SDS04, LamportUnit: channel.Seconds,
		FilterCapacity: 10000, FilterErrorRate: 0.001, MaxHistory: 1000, MaxCausalHistory: 10, Limits: limits.Default(),
	})
	content := bytes.Repeat([]byte{0xab}, size)
	var effects channel.Effects
	for i := range count {
		c.Step(1_700_000_000_000, channel.Input{Op: channel.OpSend, MessageID: fmt.Sprintf("%0*x", ids, i), Content: content}, &effects)
		must(effects.Err)
	}
	return c
}
