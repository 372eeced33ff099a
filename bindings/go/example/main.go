// Command example is a program of github.com/logos-messaging/sds-go-bindings/sds as its
// users have written it: nothing in it knows of another implementation. Two participants
// talk over a network that loses one message.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"

	"github.com/logos-messaging/sds-go-bindings/sds"
	"go.uber.org/zap"
)

const channel = "lobby"

// factory is how programs take the constructor as a value.
type factory func(*zap.Logger) (*sds.ReliabilityManager, error)

// participant notes what its manager tells.
type participant struct {
	name    string
	manager *sds.ReliabilityManager

	mu    sync.Mutex
	notes []string
}

func (p *participant) note(format string, arguments ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.notes = append(p.notes, fmt.Sprintf(format, arguments...))
}

func (p *participant) tell() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, note := range p.notes {
		fmt.Printf("%s: %s\n", p.name, note)
	}
	p.notes = nil
}

func newParticipant(name string, create factory) (*participant, error) {
	manager, err := create(zap.NewNop())
	if err != nil {
		return nil, err
	}
	p := &participant{name: name, manager: manager}
	manager.RegisterCallbacks(sds.EventCallbacks{
		OnMessageReady: func(messageId sds.MessageID, channelId string) {
			p.note("%s is delivered in %s", messageId, channelId)
		},
		OnMessageSent: func(messageId sds.MessageID, channelId string) {
			p.note("%s is acknowledged", messageId)
		},
		OnMissingDependencies: func(messageId sds.MessageID, missingDeps []sds.HistoryEntry, channelId string) {
			for _, dep := range missingDeps {
				p.note("%s waits for %s, to be found at %q", messageId, dep.MessageID, dep.RetrievalHint)
			}
		},
		OnPeriodicSync: func() {},
		OnRepairReady:  func(message []byte, channelId string) {},
		RetrievalHintProvider: func(messageId sds.MessageID) []byte {
			return []byte("archive/" + messageId)
		},
	})
	return p, manager.StartPeriodicTasks()
}

func run(create factory) error {
	alice, err := newParticipant("alice", create)
	if err != nil {
		return err
	}
	bob, err := newParticipant("bob", create)
	if err != nil {
		return err
	}

	first, err := alice.manager.WrapOutgoingMessage([]byte("hello"), "m-1", channel)
	if err != nil {
		return err
	}
	second, err := alice.manager.WrapOutgoingMessage([]byte("is anybody there?"), "m-2", channel)
	if err != nil {
		return err
	}

	// The first one is lost.
	_ = first
	received, err := bob.manager.UnwrapReceivedMessage(second)
	if err != nil {
		return err
	}
	fmt.Printf("bob reads %q in %s, which lacks %d\n", *received.Message, *received.ChannelId, len(*received.MissingDeps))
	text, err := json.Marshal(received)
	if err != nil {
		return err
	}
	fmt.Println(string(text))
	bob.tell()

	// He finds it in an archive.
	if err := bob.manager.MarkDependenciesMet([]sds.MessageID{"m-1"}, channel); err != nil {
		return err
	}
	bob.tell()

	reply, err := bob.manager.WrapOutgoingMessage([]byte("yes"), "m-3", channel)
	if err != nil {
		return err
	}
	if _, err := alice.manager.UnwrapReceivedMessage(reply); err != nil {
		return err
	}
	alice.tell()

	_, err = alice.manager.UnwrapReceivedMessage([]byte("no message of SDS"))
	fmt.Println(err)
	_, err = alice.manager.WrapOutgoingMessage(nil, "m-4", channel)
	fmt.Println(err)
	fmt.Println((*sds.ReliabilityManager)(nil).Reset())

	for _, p := range []*participant{alice, bob} {
		if err := p.manager.Reset(); err != nil {
			return err
		}
		if err := p.manager.Cleanup(); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	if err := run(sds.NewReliabilityManager); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
