package doctor

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

func (r *report) kafka(f *Facts) {
	k := &f.Kafka
	if k.Err != nil {
		r.bad(Fail, "kafka.reach", k.Addr, k.Err.Error(), "without Kafka nothing is read and nothing published",
			"check kafka.brokers, kafka.tls and kafka.sasl with `tidemark config print`, and that the brokers run")
		return
	}
	for _, b := range k.Brokers {
		if b.Err != nil {
			r.bad(Fail, "kafka.reach", b.Addr, "does not answer: "+b.Err.Error(), "partitions that it leads are not read, and nobody is demoted by time meanwhile",
				"start the broker, or set its advertised.listeners to an address that this machine reaches")
			continue
		}
		r.ok("kafka.reach", b.Addr, "answers")
	}
	for i := range k.Topics {
		r.topic(f, &k.Topics[i])
	}
	r.group(k)
}

func (r *report) topic(f *Facts, t *Topic) {
	if t.Missing {
		level, why := Fail, "serve does not start without it"
		if t.Kind == Outcomes {
			level, why = Warn, "serve does not need it, but backtests will miss what is not kept"
		}
		r.bad(level, "topic.exists", t.Name, "does not exist, or this user may not see it", why, "tidemark topics create")
		return
	}
	if t.Rights.Known && !t.Rights.Describe {
		r.rights(&f.Kafka, t) // nothing more is told
		return
	}
	if t.Leaderless > 0 {
		r.bad(Fail, "topic.leaders", t.Name, fmt.Sprintf("%d of %d partitions have no leader", t.Leaderless, t.Partitions),
			"they cannot be read or written", "start the brokers that hold them: kafka-topics.sh --bootstrap-server "+f.Kafka.Addr+" --describe --unavailable-partitions")
	} else {
		r.ok("topic.exists", t.Name, "%d partitions, %d copies", t.Partitions, t.Copies)
	}
	if t.Lagging > 0 {
		r.bad(Warn, "topic.in_sync", t.Name, fmt.Sprintf("%d partitions have copies that are not in sync", t.Lagging),
			"another broker that goes away may stop writes or lose them", "see what is the matter with the brokers: kafka-topics.sh --bootstrap-server "+f.Kafka.Addr+" --describe --under-replicated-partitions")
	}
	if t.Settings == nil {
		r.bad(Unknown, "topic.settings", t.Name, fmt.Sprintf("cannot be read: %v", t.SettingsErr), "retention, compaction and copies could not be judged",
			r.acl(&f.Kafka, "--operation DescribeConfigs --topic "+t.Name))
	} else {
		r.copies(f, t)
		r.policy(f, t)
		r.retention(f, t)
	}
	r.rights(&f.Kafka, t)
}

// compacted reports whether a topic of this kind keeps the latest of each key.
func compacted(k Kind) bool { return k == Profiles || k == Tiers || k == Feeds }

func alter(k *Kafka, topic, setting string) string {
	return fmt.Sprintf("kafka-configs.sh --bootstrap-server %s --alter --topic %s --add-config %s", k.Addr, topic, setting)
}

func (r *report) copies(f *Facts, t *Topic) {
	least, err := strconv.Atoi(t.Settings["min.insync.replicas"])
	switch {
	case err != nil:
		r.bad(Unknown, "topic.copies", t.Name, "min.insync.replicas is not told", "it decides what an acknowledgement is worth", alter(&f.Kafka, t.Name, "min.insync.replicas=2"))
	case least > t.Copies:
		r.bad(Fail, "topic.copies", t.Name, fmt.Sprintf("min.insync.replicas is %d, and there are %d copies", least, t.Copies),
			"every write with acks=all is refused", alter(&f.Kafka, t.Name, fmt.Sprintf("min.insync.replicas=%d", max(t.Copies-1, 1))))
	case t.Copies < 2:
		r.bad(Warn, "topic.copies", t.Name, "there is one copy", "a broker's disk that is lost takes its records with it",
			"kafka-reassign-partitions.sh with three replicas for each partition; kafka.create.replication for topics to come")
	case least < 2:
		r.bad(Warn, "topic.copies", t.Name, fmt.Sprintf("min.insync.replicas is %d of %d copies", least, t.Copies),
			"what one broker acknowledged alone is gone with it", alter(&f.Kafka, t.Name, "min.insync.replicas=2"))
	case least == t.Copies:
		r.bad(Warn, "topic.copies", t.Name, fmt.Sprintf("min.insync.replicas is %d, as many as there are copies", least),
			"one broker that restarts stops all writes", alter(&f.Kafka, t.Name, fmt.Sprintf("min.insync.replicas=%d", max(t.Copies-1, 1))))
	default:
		r.ok("topic.copies", t.Name, "%d copies, %d in sync for an acknowledgement", t.Copies, least)
	}
}

func (r *report) policy(f *Facts, t *Topic) {
	policy := t.Settings["cleanup.policy"]
	compact, deletes := strings.Contains(policy, "compact"), strings.Contains(policy, "delete")
	want, why := "delete", "compaction drops records that are counted on: only the latest of each key stays"
	good := !compact
	if compacted(t.Kind) {
		want, good = "compact", compact && !deletes
		why = "without compaction the topic grows for ever, or forgets profiles"
		if t.Kind == Tiers {
			why = "after a rewind of Redis serve reads here what it published; without compaction it grows for ever, or forgets"
		}
	}
	if good {
		r.ok("topic.cleanup", t.Name, "%s", policy)
		return
	}
	r.bad(Fail, "topic.cleanup", t.Name, fmt.Sprintf("cleanup.policy is %q, not %s", policy, want), why, alter(&f.Kafka, t.Name, "cleanup.policy="+want))
}

// outage is the longest time away that must not lose anything: a long weekend.
const outage = 96 * time.Hour

func (r *report) retention(f *Facts, t *Topic) {
	if compacted(t.Kind) {
		return
	}
	ms, err := strconv.ParseInt(t.Settings["retention.ms"], 10, 64)
	if err != nil {
		r.bad(Unknown, "topic.retention", t.Name, "retention.ms is not told", "records may go before they are read", "kafka-configs.sh --bootstrap-server "+f.Kafka.Addr+" --describe --topic "+t.Name)
		return
	}
	keep := time.Duration(ms) * time.Millisecond
	whole := alter(&f.Kafka, t.Name, fmt.Sprintf("retention.ms=%d", f.MaxAge.Milliseconds()))
	bytes := t.Settings["retention.bytes"]
	switch reads := t.Kind == Input || t.Kind == Outcomes; {
	case ms >= 0 && keep < outage:
		r.bad(Fail, "topic.retention", t.Name, "records are kept for "+days(keep), "an outage over a long weekend loses what was not read or replayed: serve refuses to go on past a gap", whole)
	case bytes != "" && bytes != "-1":
		r.bad(Warn, "topic.retention", t.Name, "retention.bytes is "+bytes, "a burst may push out what was not read yet, whatever retention.ms says", alter(&f.Kafka, t.Name, "retention.bytes=-1"))
	case reads && ms >= 0 && keep < f.MaxAge:
		r.bad(Warn, "topic.retention", t.Name, fmt.Sprintf("records are kept for %s, and events count for %s (events.max_age)", days(keep), days(f.MaxAge)),
			"`tidemark rebuild` scores what the log holds: older events would be lost to it", whole)
	case ms < 0:
		r.ok("topic.retention", t.Name, "kept for ever")
	default:
		r.ok("topic.retention", t.Name, "kept for %s", days(keep))
	}
}

func days(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%d d", d/(24*time.Hour))
	}
	return d.String()
}
