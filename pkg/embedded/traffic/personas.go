package traffic

import "math/rand/v2"

// Persona is how a firm behaves.
type Persona int

// The personas, and how high the reference model lets each rise.
const (
	// InMarket firms look for a product in a burst of a few days: research, a
	// case study, the pricing page, people of several roles. Then they are
	// silent for weeks. A.
	InMarket Persona = iota
	// Executive firms show interns' clicks only, until a top manager looks at the
	// pricing page, once. B.
	Executive
	// Warming firms read mails and come back, more from week to week. B.
	Warming
	// Leaving firms warm up, then cancel the newsletter. B.
	Leaving
	// Interns are good firms where nobody but interns and students clicks. C.
	Interns
	// Noisy firms are very active and outside the ideal customer profile. C.
	Noisy
	// Competitor firms study our pricing, and are excluded. C.
	Competitor
	// Quiet firms do next to nothing. C.
	Quiet
	// Scanned firms are as quiet, but a scanner opens each mail and follows its links
	// before anybody sees it. C, as that is held back.
	Scanned
)

var personaNames = [...]string{"in-market", "executive", "warming", "leaving", "interns", "noisy", "competitor", "quiet", "scanned"}

// String is the persona's name.
func (p Persona) String() string { return personaNames[p] }

// Highest is the best tier of the reference model that such a firm ever reaches.
func (p Persona) Highest() string {
	switch p {
	case InMarket:
		return "A"
	case Executive, Warming, Leaving:
		return "B"
	}
	return "C"
}

// mix is which personas the first firms play; it repeats.
var mix = []Persona{
	InMarket, Executive, Warming, Interns, Noisy, Scanned, Competitor, Leaving, InMarket, Quiet,
	Warming, Noisy, InMarket, Quiet, Interns, Quiet, Warming, Executive, Quiet, Noisy,
}

func (p Persona) industry(r *rand.Rand) industry {
	switch p {
	case InMarket:
		return inside[r.IntN(2)]
	case Warming, Leaving:
		return inside[0]
	case Executive:
		return inside[1]
	case Noisy:
		if r.IntN(2) == 0 {
			return outside[r.IntN(len(outside))]
		}
	}
	return inside[1+r.IntN(len(inside)-1)]
}

// furnish adds the attributes that decide fit and profile.
func (p Persona) furnish(r *rand.Rand, a map[string]any) {
	employees, revenue, technologies := 80+r.IntN(400), 10+r.IntN(80), []string{"hubspot", "snowflake"}
	switch p {
	case InMarket:
		employees, revenue, technologies = 600+r.IntN(4000), 60+r.IntN(900), []string{"salesforce", "snowflake"}
	case Leaving:
		technologies = []string{"salesforce", "marketo"}
	case Noisy:
		if a["industry"] != "retail" && a["industry"] != "education" {
			employees, revenue = 6+r.IntN(40), 5+r.IntN(3)
		}
	case Competitor:
		a["relationship"] = "competitor"
	case Scanned:
		employees, technologies = 600+r.IntN(4000), []string{"salesforce"}
	case Executive, Warming, Interns, Quiet:
	}
	a["employees"], a["revenue_musd"], a["technologies"] = float64(employees), float64(revenue), technologies
}
