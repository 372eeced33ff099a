package sds

import "github.com/libsds/libsds/core"

// Inspect returns what a channel in memory holds and what each message in it waits for:
// the answer to why one is not delivered, or not acknowledged. It changes nothing.
//
// Errors: ErrInvalidID, ErrInvalidArgument for a channel that is not in memory.
func (rm *ReliabilityManager) Inspect(channelId string) (inspection core.Inspection, err error) {
	err = rm.operate("Inspect", "", func(m *core.Manager) (err error) {
		inspection, err = m.Inspect(channelId)
		return err
	})
	return inspection, err
}

// Overview returns how much each channel in memory holds, in the order of their ids.
func (rm *ReliabilityManager) Overview() (overview core.Overview, err error) {
	err = rm.operate("Overview", "", func(m *core.Manager) error {
		overview = m.Overview()
		return nil
	})
	return overview, err
}

// Stats returns what was counted since the manager was made, and how much it holds, in
// the terms of Prometheus; docs/metrics.md lists the metrics. It answers after Cleanup,
// too, with the last counts. An empty manager has none.
func (rm *ReliabilityManager) Stats() core.Stats {
	if rm == nil || rm.manager == nil {
		return core.Stats{}
	}
	return rm.manager.Stats()
}
