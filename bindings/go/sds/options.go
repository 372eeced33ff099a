package sds

import (
	"fmt"
	"log/slog"
	"math"
	"os"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/persistence"
)

// Option is something that a manager is made of. Of two that set the same thing, the
// later one counts.
type Option func(*settings) error

type settings struct {
	core      core.Options
	storePath string
	callbacks *EventCallbacks
}

// WithParticipantID names the participant to its peers, the same after every restart.
// It switches repairs (SDS-R) on: without it the participant asks for nothing that it
// misses, and answers nobody.
func WithParticipantID(id string) Option {
	return func(s *settings) error {
		s.core.ParticipantID = id
		return nil
	}
}

// WithConfig sets the whole configuration; start from [core.DefaultConfig]. SDS_CONFIG
// does not count then.
func WithConfig(config core.Config) Option {
	return func(s *settings) error {
		s.core.Config = &config
		return nil
	}
}

// WithConfigJSON sets the configuration as [core.ParseConfig] reads it: an object over
// the defaults, the same as for the C API. SDS_CONFIG does not count then.
func WithConfigJSON(text string) Option {
	return func(s *settings) error {
		config, err := core.ParseConfig([]byte(text))
		s.core.Config = &config
		return err
	}
}

// WithStorePath has the manager keep everything in a file, which serves one manager at
// a time: each operation is on disk before it is announced. It is the key storePath of
// the configuration, and wins over that.
func WithStorePath(path string) Option {
	return func(s *settings) error {
		s.storePath = path
		return nil
	}
}

// WithBackend has the program keep the channels. See package persistence for what it
// is called for.
func WithBackend(backend persistence.Backend) Option {
	return func(s *settings) error {
		s.core.Backend = backend
		return nil
	}
}

// WithCallbacks is RegisterCallbacks before anything can happen.
func WithCallbacks(callbacks EventCallbacks) Option {
	return func(s *settings) error {
		s.callbacks = &callbacks
		return nil
	}
}

// WithClock sets what tells the time, for tests and simulations; nil is the clock of
// the system. It is called with a channel locked: it must not call the manager.
func WithClock(now func() time.Time) Option {
	return func(s *settings) error {
		s.core.Now = nil
		if now != nil {
			s.core.Now = func() int64 { return now().UnixMilli() }
		}
		return nil
	}
}

// configVariable is where the configuration is taken from if there is no other.
const configVariable = "SDS_CONFIG"

// gather puts the options together.
func gather(logger *zap.Logger, options []Option) (*settings, error) {
	s := &settings{}
	for _, option := range options {
		if option == nil {
			continue
		}
		if err := option(s); err != nil {
			return nil, err
		}
	}
	if text := os.Getenv(configVariable); s.core.Config == nil && text != "" {
		config, err := core.ParseConfig([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("in the environment variable %s: %w", configVariable, err)
		}
		s.core.Config = &config
	}
	if s.storePath != "" {
		config := core.DefaultConfig()
		if s.core.Config != nil {
			config = *s.core.Config
		}
		config.StorePath = s.storePath
		s.core.Config = &config
	}
	s.core.Logger = slog.New(zapslog.NewHandler(logger.Core(),
		zapslog.WithName(logger.Name()), zapslog.AddStacktraceAt(slog.Level(math.MaxInt))))
	return s, nil
}
