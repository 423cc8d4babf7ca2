package deadletters

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"tidemark/streams/sink"
	"tidemark/streams/tail"
)

// headerMark tells a replay's notes in the dead-letter topic from letters.
const headerMark = "tidemark.replay.mark"

// mark is one note of a replay: that it begins, what it has written, that it ended.
type mark struct {
	Run string `json:"run"`
	// Begin has, by topic and partition, the ends of the topics that the replay is
	// going to write to.
	Begin map[string]map[int]int64 `json:"begin,omitempty"`
	// Written are letters whose records are acknowledged.
	Written []string `json:"written,omitempty"`
	End     bool     `json:"end,omitempty"`
}

// message is the mark as a record. Keys differ, so that compaction would keep all.
func (m *mark) message(number int) (sink.Message, error) {
	value, err := json.Marshal(m)
	return sink.Message{
		Key: fmt.Appendf(nil, "%s %s/%d", headerMark, m.Run, number), Value: value,
		Headers: []sink.Header{{Key: headerMark, Value: []byte("1")}},
	}, err
}

// isMark: a letter always has more headers, so no producer can make one.
func isMark(r *tail.Record) bool { return len(r.Headers) == 1 && r.Headers[0].Key == headerMark }

// journal is what the notes of all replays say together.
type journal struct {
	done map[ID]bool
	// begun are the replays that began and did not end, with their Begin.
	begun map[string]map[string]map[int]int64
	ended map[string]bool
	// seen is, by partition of the dead-letter topic, how far was read.
	seen map[int]int64
}

func newJournal() *journal {
	return &journal{map[ID]bool{}, map[string]map[string]map[int]int64{}, map[string]bool{}, map[int]int64{}}
}

func (j *journal) note(r *tail.Record) error {
	var m mark
	if err := json.Unmarshal(r.Value, &m); err != nil {
		return fmt.Errorf("the replay's note at %s/%d/%d cannot be read: %w", r.Topic, r.Partition, r.Offset, err)
	}
	if m.Begin != nil {
		j.begun[m.Run] = m.Begin
	}
	j.ended[m.Run] = j.ended[m.Run] || m.End
	for _, text := range m.Written {
		if id, ok := parseID(text); ok {
			j.done[id] = true
		}
	}
	return nil
}

func parseID(text string) (id ID, ok bool) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(id) {
		return id, false
	}
	return ID(b), true
}

// open are the replays that died on the way.
func (j *journal) open() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(j.begun)), func(run string) bool { return j.ended[run] })
}

// settle finds out what the replays that died had written without noting it: it
// reads the topics that they wrote to from where they began.
func (d *Letters) settle(ctx context.Context, j *journal) (found []ID, err error) {
	from := map[string]map[int]int64{}
	for _, run := range j.open() {
		for topic, ends := range j.begun[run] {
			if from[topic] == nil {
				from[topic] = maps.Clone(ends)
			}
			for p, end := range ends {
				from[topic][p] = min(from[topic][p], end)
			}
		}
	}
	for topic, offsets := range from {
		if !slices.Contains(d.Inputs, topic) {
			continue
		}
		err := d.each(ctx, topic, offsets, func(r *tail.Record) error {
			for _, h := range r.Headers {
				id, ok := parseID(string(h.Value))
				if h.Key == HeaderLetter && ok && !j.done[id] {
					j.done[id] = true
					found = append(found, id)
				}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("look for what an interrupted replay wrote to %s: %w", topic, err)
		}
	}
	return found, nil
}
