package main

import (
	"fmt"
	"runtime"

	"github.com/libsds/libsds/core"
)

// heap returns the bytes in use once the garbage is gone.
func heap() float64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}

// memoryRows measures what channels weigh.
func memoryRows() []row {
	idle := func() float64 {
		const channels = 10_000
		m, err := core.New(core.Options{ParticipantID: "idle"})
		must(err)
		before := heap()
		for i := range channels {
			must(m.EnsureChannel(fmt.Sprintf("channel-%d", i)))
		}
		weight := (heap() - before) / channels
		runtime.KeepAlive(m)
		return weight
	}()
	full := func() float64 {
		const channels = 1000
		config := core.DefaultConfig()
		config.MaxResendAttempts = 0
		config.ResendIntervalMs = 1
		now := int64(1_700_000_000_000)
		m, err := core.New(core.Options{ParticipantID: "full", Config: &config, Handler: func(core.Event) {}, Now: func() int64 { return now }})
		must(err)
		content := make([]byte, 100)
		var dst []byte
		before := heap()
		for c := range channels {
			channel := fmt.Sprintf("channel-%d", c)
			for i := range config.MaxMessageHistory {
				dst, err = m.Wrap(dst[:0], channel, fmt.Sprintf("message-%08d", i), content)
				must(err)
			}
		}
		// Nobody answers here; let the outgoing buffers run empty.
		m.Tick(now)
		now += config.BufferSweepIntervalMs
		m.Tick(now)
		weight := heap() - before
		runtime.KeepAlive(m)
		return weight
	}()
	return []row{
		{what: "an idle channel", value: idle / 1024, unit: "KiB", target: 4},
		{what: "1,000 channels with 1,000 messages of 100 bytes each", value: full / 1e9, unit: "GB", target: 1.2},
	}
}
