package channel

import "container/list"

// metSet holds the ids that the host declared met and that are not in the log,
// oldest first, at most capacity of them: its zero value is empty.
type metSet struct {
	byID  map[string]*list.Element
	order list.List
}

func (s *metSet) has(id string) bool {
	_, ok := s.byID[id]
	return ok
}

// add inserts id and tells whether it was new. Past capacity the oldest goes.
func (s *metSet) add(id string, capacity int) bool {
	if s.has(id) {
		return false
	}
	if s.byID == nil {
		s.byID = make(map[string]*list.Element)
	}
	s.byID[id] = s.order.PushBack(id)
	if len(s.byID) > capacity {
		s.remove(s.order.Front().Value.(string))
	}
	return true
}

func (s *metSet) remove(id string) {
	if element, ok := s.byID[id]; ok {
		s.order.Remove(element)
		delete(s.byID, id)
	}
}

// markMet takes the host's word for dependencies that it has by other means.
func (c *Channel) markMet(ids []string, effects *Effects) {
	effects.Changed = true
	for _, id := range ids {
		if c.log.get(id) == nil && c.met.add(id, c.cfg.FilterCapacity) {
			c.filter.Add(c.filter.Scheme().Sum(id))
		}
		c.asking.remove(id)
		c.asked.remove(id)
		c.resolve(id)
	}
}
