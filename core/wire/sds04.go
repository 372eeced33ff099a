package wire

import (
	"cmp"
	"slices"
	"strings"
)

// headSDS04 writes fields 1 to 5, without the empty ones. An ephemeral message
// always has its content, by which it is known.
func (w *writer) headSDS04(m *Message) {
	w.optionalString(sdsID, m.ID)
	w.lamportSDS(m)
	for i := range m.History {
		w.string(sdsHistory, m.History[i].ID)
	}
	w.optionalString(sdsChannel, m.ChannelID)
	if !m.IsSync() {
		w.bytes(sdsContent, m.Content)
	}
}

// middleSDS04 writes the sender and what is known of the history beyond ids.
func (w *writer) middleSDS04(m *Message) {
	w.optionalString(sdsSender, m.SenderID)
	for i := range m.History {
		if e := &m.History[i]; hasDetails(e) {
			w.entry(sdsDetails, e)
		}
	}
}

// hasDetails reports whether e needs a field 8. That is so if there is more to
// it than its id, but also if its id would read as a sds-0.3 entry: field 8
// tells readers that the ids of field 3 are bare.
func hasDetails(e *Entry) bool {
	if len(e.Hint) > 0 || e.SenderID != "" {
		return true
	}
	_, ambiguous := parseIfEntry(readOnly(e.ID))
	return ambiguous
}

// historySDS04 reads the ids of field 3 and joins to them the details of field
// 8 by id. Details of ids that are not in field 3 are checked and ignored.
func (d *decoder) historySDS04() error {
	m := d.message
	m.History = slices.Grow(m.History, d.fields[sdsHistory].count)
	ids := d.list(sdsHistory)
	for ids.next() {
		id, err := d.id(ids.value(), "id of an entry")
		if err != nil {
			return err
		}
		m.History = append(m.History, Entry{ID: id})
	}

	join := joiner{history: m.History}
	details := d.list(sdsDetails)
	for details.next() {
		raw, err := parseEntry(details.value())
		if err != nil {
			return err
		}
		if at := join.next; len(raw.hint)+len(raw.sender) > 0 && at < len(m.History) && string(raw.id) == m.History[at].ID {
			// The next of the history, as writers have it: its id is checked.
			if m.History[at].SenderID, err = d.sender(raw.sender); err != nil {
				return err
			}
			m.History[at].Hint = d.usableHint(raw.hint)
			join.next++
			continue
		}
		var e Entry
		if err := d.entry(&raw, &e); err != nil {
			return err
		}
		if len(e.Hint) > 0 || e.SenderID != "" {
			join.add(&e)
		}
	}
	return nil
}

// A joiner puts details to the entries of a history. Writers list them in the
// order of the history, so it looks from the last match onwards; then, or when
// an id occurs several times, each details go to the next entry of their id,
// and the search continues from the front if there is none.
type joiner struct {
	history []Entry
	next    int // where the last match was, plus one
	// byID is made when details come out of order: the positions of the
	// history, sorted by id, then by position. Without it, a hostile message
	// could make each of thousands of details search thousands of ids.
	byID []int
}

func (j *joiner) add(details *Entry) {
	if at, ok := j.find(details.ID); ok {
		j.history[at] = *details
		j.next = at + 1
	}
}

func (j *joiner) find(id string) (int, bool) {
	if j.byID == nil {
		for at := j.next; at < len(j.history); at++ {
			if j.history[at].ID == id {
				return at, true
			}
		}
		j.sort()
	}
	if at, ok := j.search(id, j.next); ok {
		return at, true
	}
	return j.search(id, 0)
}

func (j *joiner) sort() {
	j.byID = make([]int, len(j.history))
	for i := range j.byID {
		j.byID[i] = i
	}
	slices.SortFunc(j.byID, func(a, b int) int {
		return cmp.Or(strings.Compare(j.history[a].ID, j.history[b].ID), a-b)
	})
}

// search returns the first position of id in the history from "from" onwards.
func (j *joiner) search(id string, from int) (int, bool) {
	i, _ := slices.BinarySearchFunc(j.byID, from, func(at, from int) int {
		return cmp.Or(strings.Compare(j.history[at].ID, id), at-from)
	})
	if i == len(j.byID) || j.history[j.byID[i]].ID != id {
		return 0, false
	}
	return j.byID[i], true
}
