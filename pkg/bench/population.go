package bench

import (
	"context"
	"fmt"
	"time"
)

// The population: every account has five active signals and three people, and stands
// in the best tier, so that its demotion is armed. It is the dearest common account.
var population = [...]struct {
	topic        int
	source, typ  string
	contact      int
	minutesEarly int
}{
	{intentTopic, "/intent-feed", "intent.topic_research", 1, 50},
	{intentTopic, "/intent-feed", "intent.competitor_search", 3, 40},
	{engagementTopic, "/web", "engagement.page_view", 1, 30},
	{engagementTopic, "/web", "engagement.webinar_attended", 3, 20},
	{engagementTopic, "/web", "engagement.case_study_download", 10, 10},
}

// perAccount is the number of events that make an account of the population.
const perAccount = len(population)

// populate writes the population's events into a deployment's topics, in order of time.
func (b *bench) populate(ctx context.Context, d *deployment, accounts int) error {
	b.say("loading %d accounts with %d events each", accounts, perAccount)
	t := d.cfg.Kafka.Topics
	p := newProducer(ctx, b.client, []string{t.Intent, t.Engagement}, b.opts.Partitions)
	now := time.Now()
	err := eachOfPopulation(accounts, now, p.add)
	if closed := p.close(); closed != nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("load the population: %w", err)
	}
	return nil
}

func eachOfPopulation(accounts int, now time.Time, add func(message) error) error {
	const minute = 60_000
	var buf []byte
	for step, s := range population {
		for n := range accounts {
			// Spread over a minute, so that crossings are spread too.
			at := now.Add(-time.Duration(s.minutesEarly)*time.Minute + time.Duration(n%minute)*time.Millisecond)
			account := popName(n)
			buf = appendEvent(buf[:0], content{
				prefix: "p-", number: n*perAccount + step, source: s.source, typ: s.typ, at: at, account: account, contact: s.contact,
				path: paths[0], campaign: campaigns[0],
			})
			if err := add(message{topic: s.topic, key: account, value: buf, time: at}); err != nil {
				return err
			}
		}
	}
	return nil
}
