package webhook

import (
	"context"
	"net/http"
	"time"

	"tidemark/pkg/outbound"
)

// mostInBatch bounds a request. Salesforce takes 200 records, HubSpot 100.
const mostInBatch = 500

// mayBeOne reports whether an answer may be about one event of several, so that the
// others would be taken without it.
func mayBeOne(a *outbound.Answer) bool {
	switch a.Result {
	case outbound.Rejected, outbound.Body:
		return true
	case outbound.Refused:
		return a.Status == http.StatusBadRequest || a.Status == http.StatusUnprocessableEntity || a.Status == http.StatusRequestEntityTooLarge
	}
	return false
}

// halve sends a refused batch again at once in two, until what is refused is alone: that
// then has the attempts of any event. The others do not wait a day for it.
func (l *line) halve(ctx context.Context, now time.Time, entries []Entry) error {
	half := len(entries) / 2
	for _, part := range [][]Entry{entries[:half], entries[half:]} {
		m, err := l.message(part)
		id := m.ID
		if err != nil { // what cannot be written yet has a name all the same
			id = ID("", part[0].Key, part[len(part)-1].Key)
		}
		for i := range part {
			part[i].Batch = id
		}
		if err := l.queue.Later(ctx, l.Name, now.UnixMilli(), part...); err != nil {
			return err
		}
	}
	l.wake(l.Name)
	return nil
}
