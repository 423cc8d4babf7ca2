package faults

import (
	"fmt"
	"strings"
)

// sums wants the figures of the one process that read the whole input to add up:
//
//	records in Kafka = records read
//	inputs = counted + duplicate + unmatched + outdated + unscored + canary + dead letters
//
// and, while a record holds one input, records = inputs. It is for runs in which
// nobody else read and Redis was not set back: the figures of a process that died
// are gone, and what was read again is stored again, so sums across crashes and
// rewinds say nothing. The verifier does that.
func (i *instance) sums(w *world) string {
	i.t.Helper()
	figures, err := i.metrics()
	done(i.t, err)
	sum := func(prefix string) (n int64) {
		for name, value := range figures {
			if strings.HasPrefix(name, prefix) {
				n += int64(value)
			}
		}
		return n
	}
	inKafka := int64(0)
	for _, topic := range w.inputs() {
		inKafka += w.size(topic)
	}
	read, stored, dead := sum("tidemark_source_records_total"), sum("tidemark_engine_inputs_total{"), sum("tidemark_dead_letters_total{")
	events, letters := sum(`tidemark_source_inputs_total{kind="event"`), sum(`tidemark_source_inputs_total{kind="dead_letter"`)
	effect := func(name string) int64 { return sum(`tidemark_engine_inputs_total{effect="` + name + `"`) }
	line := fmt.Sprintf("%d records = %d counted, %d duplicate, %d unmatched, %d outdated, %d unscored, %d canary + %d dead letters",
		read, effect("counted"), effect("duplicate"), effect("unmatched"), effect("outdated"), effect("unscored"), effect("canary"), dead)
	if read != inKafka || read != events+letters || events != stored || letters != dead {
		i.t.Errorf("the figures do not add up: %s; read %d events and %d dead letters, Kafka holds %d records", line, events, letters, inKafka)
	}
	return line
}
