package bench

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// Workload is what is loaded. The same workload gives the same bytes.
type Workload struct {
	Events     int           `json:"events"`
	Accounts   int           `json:"accounts"`
	Zipf       float64       `json:"zipf"`       // exponent of the accounts' popularity, above 1
	Duplicates float64       `json:"duplicates"` // share of events that come again within 200 positions
	Disorder   float64       `json:"disorder"`   // share of events that are late, by up to an hour
	Seed       uint64        `json:"seed"`
	Start      time.Time     `json:"start"` // time of the first event
	Span       time.Duration `json:"span"`  // event time between the first and the last
}

// DefaultWorkload is the one that the figures in the documentation are of. It
// began 31 days ago, so that no event is too old.
func DefaultWorkload(now time.Time) Workload {
	const day = 24 * time.Hour
	return Workload{
		Events: 2_000_000, Accounts: 200_000, Zipf: 1.05, Duplicates: 0.01, Disorder: 0.02, Seed: 1,
		Start: now.UTC().Truncate(day).Add(-31 * day), Span: 30 * day,
	}
}

// Validate joins every fault, each with its flag.
func (w Workload) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if w.Events < 1 {
		fault("--events: %d, must be 1 or more", w.Events)
	}
	if w.Accounts < 1 {
		fault("--accounts: %d, must be 1 or more", w.Accounts)
	}
	if w.Zipf <= 1 {
		fault("--zipf: %v, must be above 1: at 1 the accounts' shares have no sum", w.Zipf)
	}
	if w.Duplicates < 0 || w.Duplicates > 0.5 {
		fault("--duplicates: %v, must be a share from 0 to 0.5", w.Duplicates)
	}
	if w.Disorder < 0 || w.Disorder > 1 {
		fault("--disorder: %v, must be a share from 0 to 1", w.Disorder)
	}
	return errors.Join(faults...)
}

// The two input topics that events go to.
const (
	intentTopic = iota
	engagementTopic
)

// event is one event as it goes to Kafka.
type event struct {
	topic int
	key   string
	value []byte // valid until the generator's next event
	time  int64  // Unix milliseconds
}

type choice struct {
	name  string
	share int // of 100
}

var (
	intentTypes     = []choice{{"intent.topic_research", 60}, {"intent.competitor_search", 25}, {"intent.analyst_download", 15}}
	engagementTypes = []choice{
		{"engagement.email_open", 40},
		{"engagement.email_click", 20},
		{"engagement.page_view", 20},
		{"engagement.case_study_download", 12},
		{"engagement.webinar_attended", 8},
	}
	// A contact is who they are in every event: the title goes with the contact's number.
	contacts = []struct{ title, seniority string }{
		{"Chief Marketing Officer", "c_level"},
		{"VP Marketing", "vp"},
		{"VP Sales", "vp"},
		{"Director of Finance", "director"},
		{"Director of Demand Gen", "director"},
		{"Director Engineering", "director"},
		{"Marketing Manager", "manager"},
		{"Procurement Manager", "manager"},
		{"Revenue Operations Manager", "manager"},
		{"Product Manager", "manager"},
		{"Platform Architect", "manager"},
		{"Marketing Specialist", "ic"},
		{"Software Engineer", "ic"},
		{"Software Developer", "ic"},
		{"Sales Representative", "ic"},
		{"Analyst", "ic"},
		{"Analyst", "ic"},
		{"Customer Success", "ic"},
		{"Sales Engineer", "ic"},
		{"Marketing Intern", "intern"},
	}
	campaigns = []string{"q4", "spring-launch", "retarget", "webinar-07"}
	paths     = []string{"/pricing", "/pricing/enterprise", "/pricing/compare", "/docs/getting-started"}
)

func pick(r *rand.Rand, cs []choice) string {
	n := r.IntN(100)
	for _, c := range cs {
		if n -= c.share; n < 0 {
			return c.name
		}
	}
	return cs[0].name
}

// generator makes the events of a workload, one after another.
type generator struct {
	w     Workload
	r     *rand.Rand
	zipf  *rand.Zipf
	names []string // by popularity
	at    int      // position of the next event
	made  int      // events made, duplicates not among them
	again map[int][]event
	buf   []byte
}

func newGenerator(w Workload) *generator {
	r := rand.New(rand.NewPCG(w.Seed, 0))
	g := &generator{w: w, r: r, zipf: rand.NewZipf(r, w.Zipf, 1, uint64(w.Accounts-1)), again: map[int][]event{}}
	g.names = make([]string, w.Accounts)
	for i, n := range r.Perm(w.Accounts) {
		g.names[i] = accountName(n)
	}
	return g
}

// accountName is the name of a workload's account, counted from 0.
func accountName(n int) string { return fmt.Sprintf("acct-%06d", n) }

// next is the workload's next event; false at its end.
func (g *generator) next() (event, bool) {
	i := g.at
	if i >= g.w.Events {
		return event{}, false
	}
	g.at++
	if waiting := g.again[i]; len(waiting) > 0 {
		delete(g.again, i)
		if len(waiting) > 1 {
			g.again[i+1] = append(g.again[i+1], waiting[1:]...)
		}
		return waiting[0], true
	}
	at := g.w.Start.Add(time.Duration(float64(g.w.Span) / float64(g.w.Events) * float64(i)))
	if g.r.Float64() < g.w.Disorder {
		at = at.Add(-time.Duration(g.r.Int64N(int64(time.Hour))))
	}
	e := g.make(at)
	if g.r.Float64() < g.w.Duplicates {
		j, copied := i+1+g.r.IntN(200), e
		copied.value = append([]byte(nil), e.value...)
		g.again[j] = append(g.again[j], copied)
	}
	return e, true
}

// make is an event of a random account at the given time. Its id begins with its
// number, counted from 0.
func (g *generator) make(at time.Time) event {
	e := event{topic: engagementTopic, time: at.UnixMilli(), key: g.names[g.zipf.Uint64()]}
	types, source := engagementTypes, "/web"
	if g.r.IntN(100) < 40 {
		e.topic, types, source = intentTopic, intentTypes, "/intent-feed"
	}
	n := g.r.IntN(len(contacts))
	g.buf = appendEvent(g.buf[:0], content{
		prefix: idPrefix, number: g.made, salt: g.r.Uint32() & 0xffff, source: source, typ: pick(g.r, types), at: at, account: e.key, contact: n,
		path: paths[g.r.IntN(len(paths))], campaign: campaigns[g.r.IntN(len(campaigns))],
	})
	g.made++
	e.value = g.buf
	return e
}

// content is what differs between two events.
type content struct {
	prefix         string // of the id: whose event it is
	number         int
	salt           uint32
	source, typ    string
	at             time.Time
	account        string
	contact        int
	path, campaign string
}

// idPrefix begins the ids of a generator's events, and of no other.
const idPrefix = "e-"

func appendEvent(b []byte, c content) []byte {
	who := contacts[c.contact]
	b = append(b, `{"specversion":"1.0","id":"`...)
	b = append(b, c.prefix...)
	b = strconv.AppendInt(b, int64(c.number), 10)
	b = append(b, '-')
	b = strconv.AppendUint(b, uint64(c.salt), 16)
	b = append(b, `","source":"`...)
	b = append(b, c.source...)
	b = append(b, `","type":"`...)
	b = append(b, c.typ...)
	b = append(b, `","time":"`...)
	b = c.at.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = append(b, `","subject":"`...)
	b = append(b, c.account...)
	b = append(b, `","data":{"contact":{"id":"c-`...)
	b = strconv.AppendInt(b, int64(c.contact), 10)
	b = append(b, `","title":"`...)
	b = append(b, who.title...)
	b = append(b, `","seniority":"`...)
	b = append(b, who.seniority...)
	b = append(b, `"},"properties":{"path":"`...)
	b = append(b, c.path...)
	b = append(b, `","campaign":"`...)
	b = append(b, c.campaign...)
	return append(b, `"}}}`...)
}

// eventNumber reads the number out of an event's id.
func eventNumber(id []byte) (int, bool) {
	if len(id) <= len(idPrefix) || string(id[:len(idPrefix)]) != idPrefix {
		return 0, false
	}
	n, digits := 0, 0
	for _, c := range id[len(idPrefix):] {
		if c < '0' || c > '9' {
			break
		}
		n, digits = n*10+int(c-'0'), digits+1
	}
	return n, digits > 0
}
