package source

import (
	"cmp"
	"hash/fnv"
	"slices"

	"github.com/segmentio/kafka-go"
)

// rendezvous shares the partitions by weighing each pair of partition and instance
// with a hash and taking the pairs by weight, up to what is fair for an instance.
// An instance that comes back gets what it had, and few partitions move when the
// number of instances changes: what is static membership elsewhere.
//
// The hash leaves the topic out, so that partitions of one number go to one instance where
// that is fair: topics with as many partitions each, keyed by account, have all events of an
// account there, and instances do not write each other's accounts.
type rendezvous struct{ instance string }

func (rendezvous) ProtocolName() string { return "tidemark-rendezvous" }

func (r rendezvous) UserData() ([]byte, error) { return []byte(r.instance), nil }

func (rendezvous) AssignGroups(members []kafka.GroupMember, partitions []kafka.Partition) kafka.GroupMemberAssignments {
	s := newSharing(members, partitions)
	s.byWeight()
	s.leftovers()
	return s.result()
}

// pair is a partition and a member that may have it, as indexes.
type pair struct {
	partition, member int
	weight            uint64
}

type sharing struct {
	members    []kafka.GroupMember
	partitions []kafka.Partition
	pairs      []pair
	owner      []int            // by partition; -1: nobody
	load       []int            // by member
	topicLoad  []map[string]int // by member
	topicFair  map[string]int   // the most partitions of a topic for a member
	fair       int              // the partitions every member can have
	extra      int              // how many members can have one more
}

func newSharing(members []kafka.GroupMember, partitions []kafka.Partition) *sharing {
	s := &sharing{
		members:    slices.Clone(members),
		partitions: slices.Clone(partitions),
		owner:      make([]int, len(partitions)),
		load:       make([]int, len(members)),
		topicLoad:  make([]map[string]int, len(members)),
		topicFair:  make(map[string]int),
	}
	slices.SortFunc(s.members, func(a, b kafka.GroupMember) int {
		return cmp.Or(slices.Compare(a.UserData, b.UserData), cmp.Compare(a.ID, b.ID))
	})
	slices.SortFunc(s.partitions, func(a, b kafka.Partition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.ID, b.ID))
	})
	s.fairness()
	s.weigh()
	return s
}

func (s *sharing) fairness() {
	if len(s.members) == 0 {
		return
	}
	s.fair, s.extra = len(s.partitions)/len(s.members), len(s.partitions)%len(s.members)
	count := make(map[string]int)
	for _, p := range s.partitions {
		count[p.Topic]++
	}
	for topic, n := range count {
		readers := 0
		for _, m := range s.members {
			if slices.Contains(m.Topics, topic) {
				readers++
			}
		}
		if readers > 0 {
			s.topicFair[topic] = (n + readers - 1) / readers
		}
	}
}

func (s *sharing) weigh() {
	for m := range s.members {
		s.topicLoad[m] = make(map[string]int)
	}
	for p := range s.partitions {
		s.owner[p] = -1
		for m := range s.members {
			if slices.Contains(s.members[m].Topics, s.partitions[p].Topic) {
				s.pairs = append(s.pairs, pair{p, m, weight(s.partitions[p], s.members[m])})
			}
		}
	}
	slices.SortFunc(s.pairs, func(a, b pair) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.partition, b.partition), cmp.Compare(a.member, b.member))
	})
}

func weight(p kafka.Partition, m kafka.GroupMember) uint64 {
	h := fnv.New64a()
	h.Write(m.UserData)
	h.Write([]byte{0, byte(p.ID), byte(p.ID >> 8), byte(p.ID >> 16), byte(p.ID >> 24)})
	// FNV's high bits change little with the last bytes: mix them (MurmurHash3).
	x := h.Sum64()
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// byWeight gives partitions out by weight, fair over all topics and in each.
func (s *sharing) byWeight() {
	for _, c := range s.pairs {
		topic := s.partitions[c.partition].Topic
		if s.owner[c.partition] >= 0 || s.topicLoad[c.member][topic] >= s.topicFair[topic] {
			continue
		}
		if s.load[c.member] < s.fair || s.load[c.member] == s.fair && s.extra > 0 {
			s.give(c.partition, c.member)
		}
	}
}

func (s *sharing) give(partition, member int) {
	if s.load[member] == s.fair {
		s.extra--
	}
	s.owner[partition] = member
	s.load[member]++
	s.topicLoad[member][s.partitions[partition].Topic]++
}

// leftovers gives the partitions that being fair in both ways left over to
// whoever has least.
func (s *sharing) leftovers() {
	for p := range s.partitions {
		if s.owner[p] >= 0 {
			continue
		}
		best := -1
		for _, c := range s.pairs {
			if c.partition == p && (best < 0 || s.less(c.member, best, s.partitions[p].Topic)) {
				best = c.member
			}
		}
		if best >= 0 {
			s.give(p, best)
		}
	}
}

func (s *sharing) less(a, b int, topic string) bool {
	return cmp.Or(cmp.Compare(s.load[a], s.load[b]), cmp.Compare(s.topicLoad[a][topic], s.topicLoad[b][topic])) < 0
}

func (s *sharing) result() kafka.GroupMemberAssignments {
	result := make(kafka.GroupMemberAssignments, len(s.members))
	for _, m := range s.members {
		result[m.ID] = make(map[string][]int)
	}
	for p, m := range s.owner {
		if m >= 0 {
			topics := result[s.members[m].ID]
			topics[s.partitions[p].Topic] = append(topics[s.partitions[p].Topic], s.partitions[p].ID)
		}
	}
	return result
}
