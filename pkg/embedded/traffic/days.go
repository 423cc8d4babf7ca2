package traffic

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// The types of events, as the reference model knows them.
const (
	researchTopic = "intent.topic_research"
	searchRival   = "intent.competitor_search"
	readAnalyst   = "intent.analyst_download"
	viewPage      = "engagement.page_view"
	attend        = "engagement.webinar_attended"
	readCase      = "engagement.case_study_download"
	openMail      = "engagement.email_open"
	clickMail     = "engagement.email_click"
	unsubscribe   = "engagement.unsubscribed"
)

const (
	pricing = "/pricing"
	careers = "/careers"
	blog    = "/blog"
)

const day = 24 * time.Hour

// diary collects what happens at a firm on one day.
type diary struct {
	*Firm
	date   int
	rand   *rand.Rand
	events []Event
}

// write notes an event at about the given local hour.
func (d *diary) write(hour int, e Event) {
	minute := time.Duration(d.rand.IntN(60*60)) * time.Second
	e.At = time.Duration(d.date)*day + time.Duration(hour)*time.Hour + minute - d.offset
	e.At = max(e.At, 0)
	e.ID = fmt.Sprintf("e-%03d-%03d-%02d", d.number, d.date, len(d.events))
	e.Account = d.Account
	d.events = append(d.events, e)
}

// intent notes what a provider of intent data saw.
func (d *diary) intent(hour int, kind string) {
	e := Event{Feed: Intent, Source: "/intent-provider", Type: kind}
	if kind == researchTopic {
		e.Properties = map[string]any{"topic": d.topic()}
	}
	d.write(hour, e)
}

func (d *diary) topic() string {
	for _, i := range append(inside[:len(inside):len(inside)], outside...) {
		if i.name == d.Attributes["industry"] {
			return i.topic
		}
	}
	return "vendors"
}

// act notes what a person did. The web site knows only the e-mail address.
func (d *diary) act(hour int, who *Person, kind string) {
	source := "/marketing"
	if kind == attend {
		source = "/events"
	}
	d.write(hour, Event{Feed: Engagement, Source: source, Type: kind, Person: who})
}

func (d *diary) visit(hour int, who *Person, path string) {
	d.write(hour, Event{
		Feed: Engagement, Source: "/web", Type: viewPage, Person: who, Unnamed: true, Properties: map[string]any{"path": path},
	})
}

// chance is true in so many of a hundred cases.
func (d *diary) chance(percent int) bool { return d.rand.IntN(100) < percent }

// live fills the page of one working day, the nth since the world began.
func (d *diary) live(nth int) {
	if nth < d.begins {
		d.idle()
		return
	}
	phase := (nth - d.begins) % d.cycle
	switch d.Persona {
	case InMarket:
		d.burst(phase)
	case Executive:
		d.interns()
		if phase == 1 {
			d.visit(11, d.staff.executive, pricing)
		}
	case Warming:
		d.warm(phase)
	case Leaving:
		d.leave(phase)
	case Interns:
		d.interns()
		if d.chance(20) {
			d.visit(16, d.staff.interns[0], careers)
		}
	case Noisy:
		d.noise()
	case Competitor:
		d.spy()
	case Quiet:
		d.idle()
	case Scanned:
		if phase%4 == 0 {
			d.scan(9, d.staff.executive)
		}
		d.idle()
	}
}

// scan is what a mail's scanner does within a second of its delivery, in the name of
// whom it protects.
func (d *diary) scan(hour int, who *Person) {
	began := len(d.events)
	d.act(hour, who, openMail)
	for range 5 {
		d.act(hour, who, clickMail)
		d.visit(hour, who, pricing)
	}
	for i := range d.events[began:] {
		e := &d.events[began+i]
		e.At = d.events[began].At + time.Duration(i)*60*time.Millisecond
		if e.Properties == nil {
			e.Properties = map[string]any{}
		}
		e.Properties["user_agent"], e.Properties["since_sent_ms"] = "MailGuard-LinkScanner/2.1", float64(300+60*i)
	}
}

func (d *diary) idle() {
	switch {
	case d.chance(8):
		d.act(10, d.staff.analyst, openMail)
	case d.chance(5):
		d.visit(14, d.staff.analyst, blog)
	}
}

// burst is a firm that looks for a product: eager ones with more people.
func (d *diary) burst(phase int) {
	switch {
	case phase == 0:
		d.intent(9, researchTopic)
		d.visit(10, d.staff.analyst, blog)
		d.act(11, d.staff.manager, clickMail)
		if d.eager {
			d.act(13, d.staff.director, readCase)
		}
	case phase == 1:
		if d.eager {
			d.intent(9, searchRival)
		}
		d.visit(10, d.staff.vice, pricing)
		d.act(15, d.staff.manager, openMail)
	case phase == 2:
		d.visit(9, d.staff.executive, blog)
		if d.eager {
			d.act(14, d.staff.executive, attend)
		}
	case phase < 6 && d.chance(40):
		d.act(10, d.staff.manager, openMail)
	}
}

// warm is a firm that comes closer over two weeks, and cools down.
func (d *diary) warm(phase int) {
	switch {
	case phase > 9:
		return
	case phase == 3:
		d.act(10, d.staff.manager, readCase)
	case phase >= 5 && phase != 7:
		d.act(9, d.staff.manager, clickMail)
	}
	if d.chance(50) {
		d.act(13, d.staff.analyst, openMail)
	}
	if d.chance(30) {
		d.visit(15, d.staff.analyst, blog)
	}
}

// leave is a firm that warms up at an event and then has had enough of mails.
func (d *diary) leave(phase int) {
	switch phase {
	case 0:
		d.act(10, d.staff.manager, attend)
	case 1:
		d.act(9, d.staff.manager, clickMail)
		d.visit(11, d.staff.manager, blog)
	case 4:
		d.act(9, d.staff.manager, unsubscribe)
	}
}

// interns click on much and decide nothing.
func (d *diary) interns() {
	for _, who := range d.staff.interns {
		if d.chance(30) {
			d.act(10, who, clickMail)
		}
		if d.chance(30) {
			d.visit(13, who, blog)
		}
	}
}

func (d *diary) noise() {
	for _, who := range []*Person{d.staff.executive, d.staff.manager, d.staff.analyst} {
		switch d.rand.IntN(5) {
		case 0:
			d.visit(9+d.rand.IntN(8), who, pricing)
		case 1:
			d.act(9+d.rand.IntN(8), who, clickMail)
		case 2:
			d.visit(9+d.rand.IntN(8), who, blog)
		}
	}
	if d.chance(20) {
		d.intent(12, researchTopic)
	}
}

func (d *diary) spy() {
	if d.chance(50) {
		d.visit(10, d.staff.vice, pricing)
	}
	if d.chance(30) {
		d.act(15, d.staff.director, readCase)
	}
	if d.chance(10) {
		d.intent(12, readAnalyst)
	}
}
