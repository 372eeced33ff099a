package main

import (
	"fmt"

	"github.com/libsds/libsds/core"
)

// growthRows measures what must not grow: the cost of one message with the log
// and with the number of channels, and that of one release with the cascade.
func growthRows() []row {
	small, large := wrapWith(1_000, 1), wrapWith(100_000, 1)
	few, many := wrapWith(100, 1), wrapWith(100, 10_000)
	short, long := cascade(1_000), cascade(100_000)
	return []row{
		{what: "wrap with a log of 100,000", value: large, unit: "ns", ratio: large / small, to: "with one of 1,000"},
		{what: "wrap among 10,000 channels", value: many, unit: "ns", ratio: many / few, to: "with one channel"},
		{what: "one release in a cascade of 100,000", value: long, unit: "ns", ratio: long / short, to: "in one of 1,000"},
	}
}

// wrapWith returns what a wrap takes in one of some channels whose logs are
// full. A small filter keeps the copying of it from hiding the rest.
func wrapWith(history, channels int) float64 {
	config := core.DefaultConfig()
	config.MaxMessageHistory, config.BloomFilterCapacity = history, 100
	config.Limits.MaxOutgoingMessages = 10_000_000
	m, err := core.New(core.Options{Config: &config, Handler: func(core.Event) {}})
	must(err)
	content := make([]byte, 16)
	sequence := 0
	var dst []byte
	wrap := func(channel string) {
		sequence++
		dst, err = m.Wrap(dst[:0], channel, fmt.Sprintf("%020d", sequence), content)
		must(err)
	}
	for i := range channels {
		must(m.EnsureChannel(fmt.Sprintf("channel-%d", i)))
	}
	for range history + 100 {
		wrap("channel-0")
	}
	return often(func(int) { wrap("channel-0") })
}

// cascade returns what one release takes when n messages, each citing the one
// before, wait for the first.
func cascade(n int) float64 {
	config := core.DefaultConfig()
	config.MaxMessageHistory, config.MaxCausalHistory, config.BloomFilterCapacity = n, 1, 100
	config.Limits.MaxOutgoingMessages, config.Limits.MaxIncomingMessages = n, n
	sender, err := core.New(core.Options{Config: &config, Handler: func(core.Event) {}})
	must(err)
	delivered := 0
	receiver, err := core.New(core.Options{Config: &config, Handler: func(e core.Event) {
		if e.Type == core.MessageReady {
			delivered++
		}
	}})
	must(err)
	var first []byte
	for i := range n {
		payload, err := sender.Wrap(nil, "channel", fmt.Sprintf("%020d", i), []byte("content"))
		must(err)
		if i == 0 {
			first = payload
			continue
		}
		_, err = receiver.Unwrap(payload)
		must(err)
	}
	took := once(func() {
		_, err := receiver.Unwrap(first)
		must(err)
	})
	if delivered != n {
		must(fmt.Errorf("the cascade released %d of %d", delivered, n))
	}
	return took / float64(n)
}
