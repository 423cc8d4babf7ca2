package lag

import "fmt"

// Step is what to do next: a sentence, and the heading of deploy/README.md that goes on
// from there.
type Step struct {
	Text    string `json:"text"`
	Heading string `json:"heading"`
}

// next is the first thing to do, the gravest first. Headings exist in the runbook, which
// a test checks (Headings).
func next(r *Report, l *look) Step {
	worst := worst(r)
	switch {
	case len(r.Missing) > 0:
		return Step{fmt.Sprintf("the topics %q do not exist: make them with `tidemark topics create`", r.Missing), "TidemarkNotStarting"}
	case lostOf(r) > 0:
		return Step{fmt.Sprintf("retention took %d records before they were read: `serve` refuses to go on, and `tidemark rebuild --switch` scores what is left", lostOf(r)), "TidemarkNotStarting"}
	case l.fault != nil:
		return Step{"Redis does not answer: start or mend it; nothing is lost meanwhile", "TidemarkNothingStored"}
	case wiped(l):
		return Step{"the group has read the log and Redis knows nothing of it: restore Redis, or run `tidemark rebuild --switch`", "Redis after a power cut"}
	case r.Status == Rewind:
		return Step{fmt.Sprintf("Redis was set back: %s is read again from where the store stands; nothing counts twice", worst.name()), "TidemarkRewound"}
	case r.Status == Stop:
		return Step{fmt.Sprintf("nobody takes what waits in %s: see whether the instances run, and start one", worst.name()), "TidemarkDown"}
	case r.Status == Stall:
		return Step{fmt.Sprintf("instances run, and %s stays where it is: see whether the topic is paused", worst.name()), "TidemarkTopicPaused"}
	case r.Outbox != nil && r.Outbox.Seconds > Promised.Seconds():
		return Step{"tier changes are stored and not published: see whether an instance runs and Kafka takes what it writes", "TidemarkNothingStored"}
	case r.Status == Warn:
		return Step{fmt.Sprintf("%s is read more slowly than it grows: see what the instances wait for, or start another", worst.name()), "Behind and not catching up"}
	case r.Seconds > Promised.Seconds():
		return Step{"it is catching up: look again in a minute", "Behind and not catching up"}
	case r.Sweep != nil && r.Sweep.Seconds > Promised.Seconds():
		return Step{"accounts are due and nobody demotes them: a partition holds the low watermark, or no instance runs", "Demotions that do not come"}
	}
	return Step{"nothing to do: accounts are scored in time", ""}
}

// Headings are the runbook's headings that next may name.
func Headings() []string {
	return []string{
		"TidemarkNotStarting", "TidemarkNothingStored", "Redis after a power cut", "TidemarkRewound", "TidemarkDown", "TidemarkTopicPaused",
		"Behind and not catching up", "Demotions that do not come",
	}
}

func (p Partition) name() string { return fmt.Sprintf("%s/%d", p.Topic, p.Partition) }

// worst is the partition of the worst status, of those the one with the most records.
func worst(r *Report) Partition {
	var out Partition
	for i, p := range r.Partitions {
		if i == 0 || p.Status > out.Status || p.Status == out.Status && p.Records > out.Records {
			out = p
		}
	}
	return out
}

func lostOf(r *Report) (n int64) {
	for _, p := range r.Partitions {
		n += p.Lost
	}
	return n
}

// wiped: the group has read, and no shard knows of it.
func wiped(l *look) bool {
	read := false
	for _, c := range l.commits {
		read = read || c.Offset > 0
	}
	for _, s := range l.shards {
		if len(s) > 0 {
			return false
		}
	}
	return read
}
