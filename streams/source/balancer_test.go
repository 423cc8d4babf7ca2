package source

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/segmentio/kafka-go"
	"pgregory.net/rapid"
)

func group(topics []string, instances ...string) (members []kafka.GroupMember) {
	for i, name := range instances {
		members = append(members, kafka.GroupMember{ID: fmt.Sprintf("%s-%d-%d", name, i, rand.Int()), Topics: topics, UserData: []byte(name)})
	}
	return members
}

func partitionsOf(counts map[string]int) (all []kafka.Partition) {
	for topic, n := range counts {
		for i := range n {
			all = append(all, kafka.Partition{Topic: topic, ID: i})
		}
	}
	return all
}

// owners maps topic/partition to instance name, and fails if one has none or two.
func owners(t *rapid.T, members []kafka.GroupMember, all []kafka.Partition) map[string]string {
	given := rendezvous{}.AssignGroups(members, all)
	owner := make(map[string]string)
	for _, m := range members {
		for topic, ids := range given[m.ID] {
			for _, id := range ids {
				p := fmt.Sprintf("%s/%d", topic, id)
				if owner[p] != "" {
					t.Fatalf("%s is given twice", p)
				}
				owner[p] = string(m.UserData)
			}
		}
	}
	if len(owner) != len(all) {
		t.Fatalf("%d of %d partitions are given", len(owner), len(all))
	}
	return owner
}

func TestSharesAreFairAndKept(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		counts := rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c"}), rapid.IntRange(0, 24), 1, 3).Draw(t, "topics")
		n := rapid.IntRange(1, 6).Draw(t, "instances")
		var topics, names []string
		for topic := range counts {
			topics = append(topics, topic)
		}
		for i := range n {
			names = append(names, fmt.Sprintf("node-%d", i))
		}
		all := partitionsOf(counts)
		first := owners(t, group(topics, names...), all)
		load := make(map[string]int)
		for _, name := range first {
			load[name]++
		}
		for _, name := range names {
			if load[name] < len(all)/n || load[name] > (len(all)+n-1)/n {
				t.Fatalf("%s has %d of %d partitions over %d instances", name, load[name], len(all), n)
			}
		}
		// Others join and leave, members get new ids, lists come in another order.
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		owners(t, group(topics, append(names, "guest")...), all)
		rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		if again := owners(t, group(topics, names...), all); !reflect.DeepEqual(first, again) {
			t.Fatalf("shares differ:\n%v\n%v", first, again)
		}
	})
}

func TestFewPartitionsMoveWhenAnInstanceJoins(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := partitionsOf(map[string]int{"a": 60})
		names := []string{"n1", "n2", "n3", "n4"}
		before := owners(t, group([]string{"a"}, names...), all)
		after := owners(t, group([]string{"a"}, append(names, fmt.Sprintf("n%d", rapid.IntRange(5, 1000).Draw(t, "new")))...), all)
		moved := 0
		for p := range maps.Keys(before) {
			if before[p] != after[p] {
				moved++
			}
		}
		// 12 have to; a third of all would be a shuffle.
		if moved < 12 || moved > 24 {
			t.Fatalf("%d of 60 partitions moved", moved)
		}
	})
}

// Topics keyed by account have an account's events in partitions of one number.
func TestPartitionsOfOneNumberStayTogether(t *testing.T) {
	t.Parallel()
	all := partitionsOf(map[string]int{"a": 12, "b": 12, "c": 12})
	rapid.Check(t, func(t *rapid.T) {
		var names []string
		for i := range rapid.SampledFrom([]int{1, 2, 3, 4, 6, 12}).Draw(t, "instances") {
			names = append(names, fmt.Sprintf("n%d-%d", i, rapid.IntRange(0, 1000).Draw(t, "name")))
		}
		owner := owners(t, group([]string{"a", "b", "c"}, names...), all)
		for i := range 12 {
			a, b, c := owner[fmt.Sprint("a/", i)], owner[fmt.Sprint("b/", i)], owner[fmt.Sprint("c/", i)]
			if a != b || b != c {
				t.Fatalf("partition %d is of %s, %s and %s", i, a, b, c)
			}
		}
	})
}

func TestTopicsGoOnlyToThoseWhoReadThem(t *testing.T) {
	t.Parallel()
	members := append(group([]string{"a"}, "old"), group([]string{"a", "b"}, "new")...)
	given := rendezvous{}.AssignGroups(members, partitionsOf(map[string]int{"a": 4, "b": 4, "c": 4}))
	if got := len(given[members[0].ID]["b"]); got != 0 {
		t.Errorf("%d partitions of b for an instance that does not read it", got)
	}
	if got := len(given[members[1].ID]["b"]); got != 4 {
		t.Errorf("%d partitions of b for the only reader, want 4", got)
	}
	if got := len(given[members[0].ID]["a"]) + len(given[members[1].ID]["a"]); got != 4 {
		t.Errorf("%d partitions of a are given, want 4", got)
	}
}
