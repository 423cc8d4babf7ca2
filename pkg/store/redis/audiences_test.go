package redis_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"tidemark/pkg/audience"
	"tidemark/pkg/follow"
	"tidemark/pkg/store/redis"
)

func testAudiences(t *testing.T, cfg redis.Config) {
	ctx := t.Context()
	s := open(t, cfg).Audiences("tier-changes")
	if _, err := s.Positions(ctx); err != nil {
		t.Fatal(err)
	}
	members := map[string]audience.Member{}
	var everybody []string
	for n := range 1100 {
		account := fmt.Sprintf("firm-%04d.example", n)
		members[account] = audience.Member{N: 1, Since: 5, Seq: uint64(n), Tier: "B", Profile: map[string]any{"region": "DACH"}}
		everybody = append(everybody, account)
	}
	later := members[everybody[7]]
	later.LeaveAt = 90
	members[everybody[7]] = later
	w := &audience.Writes{
		Members: map[string]map[string]audience.Member{"dach": members}, Tell: map[string][]string{"dach": everybody},
		Out:   []audience.Out{{Topic: "feed", Account: "a", Value: []byte("one")}, {Topic: "feed", Account: "a", Value: []byte("two")}},
		Notes: map[string]string{"diffed": "5"},
	}
	if err := s.Take(ctx, follow.Step{Positions: map[int]int64{0: 1}}, w); err != nil {
		t.Fatal(err)
	}
	got, err := s.Members(ctx, "dach", []string{everybody[7], "nobody"})
	if want := map[string]audience.Member{everybody[7]: later}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("members %v, %v", got, err)
	}
	for now, want := range map[int64]int{89: 0, 90: 1} {
		if leaving, err := s.Leaving(ctx, "dach", now, 10); err != nil || len(leaving) != want {
			t.Errorf("leaving by %d: %v, %v", now, leaving, err)
		}
	}
	untold, err := s.Untold(ctx, "dach", 3)
	if err != nil || !slices.Equal(untold, everybody[:3]) {
		t.Errorf("untold %v, %v", untold, err)
	}
	later.LeaveAt = 0
	w = &audience.Writes{
		Told: map[string]map[string]audience.Told{"dach": {everybody[0]: {N: 1}, everybody[1]: {N: 2, Unsure: true}}}, Settled: map[string][]string{"dach": everybody[:2]},
		Members: map[string]map[string]audience.Member{"dach": {everybody[7]: later}},
	}
	if err := s.Take(ctx, follow.Step{}, w); err != nil {
		t.Fatal(err)
	}
	if told, err := s.Told(ctx, "dach", everybody[:2]); err != nil || !slices.Equal(told, []audience.Told{{N: 1}, {N: 2, Unsure: true}}) {
		t.Errorf("told %v, %v", told, err)
	}
	if leaving, err := s.Leaving(ctx, "dach", 1000, 10); err != nil || len(leaving) != 0 {
		t.Errorf("leaving: %v, %v", leaving, err)
	}
	if records, untold, err := s.Counts(ctx, "dach"); err != nil || records != 1100 || untold != 1098 {
		t.Errorf("%d records, %d untold, %v", records, untold, err)
	}
	met := map[string]bool{}
	err = s.Each(ctx, "dach", func(page map[string]audience.Member) error {
		for account := range page {
			met[account] = true
		}
		return nil
	})
	if err != nil || len(met) != 1100 {
		t.Errorf("met %d, %v", len(met), err)
	}
	waiting, err := s.Waiting(ctx, 10)
	if err != nil || len(waiting) != 2 || string(waiting[1].Value) != "two" {
		t.Fatalf("waiting %v, %v", waiting, err)
	}
	if err := s.Published(ctx, []string{waiting[0].ID}); err != nil {
		t.Fatal(err)
	}
	if waiting, err = s.Waiting(ctx, 10); err != nil || len(waiting) != 1 || waiting[0].Topic != "feed" || waiting[0].Account != "a" {
		t.Errorf("waiting %v, %v", waiting, err)
	}
	if err := s.Take(ctx, follow.Step{}, &audience.Writes{Forget: []string{"dach"}}); err != nil {
		t.Fatal(err)
	}
	if told, err := s.Told(ctx, "dach", everybody[:1]); err != nil || told[0] != (audience.Told{}) {
		t.Errorf("told %v, %v", told, err)
	}
	if notes, err := s.Notes(ctx); err != nil || notes["diffed"] != "5" {
		t.Errorf("notes %v, %v", notes, err)
	}
}
