package persistence

// Transactions is a Memory that is a Committer too. The zero value is ready.
type Transactions struct {
	Memory
}

// Commit keeps all of the changes.
func (t *Transactions) Commit(changes []Change) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range changes {
		c := t.channel(changes[i].ChannelID)
		c.putMeta(changes[i].Meta)
		c.update(&changes[i].History)
		for _, hint := range changes[i].Hints {
			c.putHint(hint.MessageID, hint.Hint)
		}
	}
	return nil
}

// Clone is Memory.Clone.
func (t *Transactions) Clone() *Transactions {
	clone := &Transactions{}
	t.copyTo(&clone.Memory)
	return clone
}
