package traffic

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Firm is one account of the world.
type Firm struct {
	// Account is its id: its domain.
	Account string
	Name    string
	Persona Persona
	// Attributes are its profile.
	Attributes map[string]any

	number  int
	domains []string      // its own, and the one of its e-mail addresses if that differs
	offset  time.Duration // of the local time from UTC
	begins  int           // the working day on which its first cycle begins
	cycle   int           // working days of a cycle
	eager   bool          // does more than others in its place
	staff   staff
}

type industry struct {
	name  string
	trade []string // the second halves of firms' names
	topic string   // what such firms read about
}

// inside are the industries of the reference model's ideal customers. The first
// two earn fit points.
var (
	inside = []industry{
		{"fintech", []string{"Payments", "Capital", "Ledger", "Pay", "Clearing"}, "payment fraud"},
		{"healthcare", []string{"Health", "Clinics", "Medical", "Care", "Diagnostics"}, "patient data"},
		{"software", []string{"Software", "Labs", "Systems", "Cloud", "Data"}, "customer analytics"},
		{"manufacturing", []string{"Works", "Tools", "Motors", "Steel", "Robotics"}, "predictive maintenance"},
		{"logistics", []string{"Freight", "Logistics", "Shipping", "Cargo", "Lines"}, "fleet planning"},
	}
	outside = []industry{
		{"retail", []string{"Stores", "Market", "Outfitters", "Grocers"}, "loyalty programmes"},
		{"education", []string{"Academy", "College", "School", "Institute"}, "learning platforms"},
	}
)

var firsts = strings.Fields(`Acorn Alder Amber Anchor Arbor Aster Atlas Aurora Basalt Beacon Birch Bluebell Bramble Bright Cedar
	Cinder Clover Cobalt Comet Copper Coral Crane Delta Drift Ember Falcon Fern Finch Fjord Flint Garnet Granite Halden Harbor
	Hazel Heron Indigo Iris Juniper Kestrel Lantern Larch Linden Lumen Lynx Maple Marlin Meadow Meridian Mistral Nimbus
	Northwind Oak Onyx Opal Orchard Osprey Pebble Pine Quarry Quill Raven Ridge River Rowan Saffron Sierra Silver Sparrow
	Spruce Sterling Summit Sycamore Tamarack Teal Thistle Timber Topaz Umber Vale Vesper Violet Walnut Willow Wren Zephyr`)

// region is where a firm is, and who of us looks after it.
type region struct {
	territory, owner string
	countries        []string
	offset           time.Duration
}

var regions = []region{
	{"EMEA", "mara.lindqvist", []string{"DE", "FR", "GB", "SE", "NL"}, time.Hour},
	{"Americas", "dev.sharma", []string{"US", "CA", "BR"}, -5 * time.Hour},
	{"APAC", "hana.mori", []string{"JP", "SG", "AU", "IN"}, 8 * time.Hour},
}

// found makes the firm with this number, the nth of the all that play its
// persona. Names in taken are avoided, and its own is added.
func found(r *rand.Rand, number int, p Persona, nth, all int, taken map[string]bool) *Firm {
	f := &Firm{number: number, Persona: p, cycle: 20 + r.IntN(6)}
	// Cycles begin spread over the first month, the first one on the first day.
	f.begins = nth * 20 / all
	f.eager = nth%2 == 1
	trade := p.industry(r)
	f.Name, f.Account = christen(r, trade, taken)
	f.domains = []string{f.Account}
	if r.IntN(4) == 0 {
		f.domains = append(f.domains, strings.TrimSuffix(f.Account, ".example")+"-group.example")
	}
	f.staff = hire(r, number, f.domains[len(f.domains)-1])
	place := regions[number%len(regions)]
	f.offset = place.offset
	f.Attributes = map[string]any{
		"name": f.Name, "industry": trade.name, "country": place.countries[r.IntN(len(place.countries))],
		"territory": place.territory, "owner": place.owner + "@vendor.example", "relationship": "prospect",
		"reference_cases": float64(r.IntN(4)), "has_insider": r.IntN(3) == 0, "open_information": r.IntN(2) == 0,
	}
	p.furnish(r, f.Attributes)
	return f
}

// christen finds a name that no other firm has.
func christen(r *rand.Rand, trade industry, taken map[string]bool) (name, account string) {
	for tries := 0; ; tries++ {
		name = firsts[r.IntN(len(firsts))] + " " + trade.trade[r.IntN(len(trade.trade))]
		if tries > 20 {
			name += fmt.Sprintf(" %d", len(taken))
		}
		account = strings.ReplaceAll(strings.ToLower(name), " ", "-") + ".example"
		if !taken[account] {
			taken[account] = true
			return name, account
		}
	}
}

// profile is what the CRM sends of the firm at the beginning.
func (f *Firm) profile() Event {
	return Event{
		Feed: Profiles, ID: fmt.Sprintf("p-%03d", f.number), Source: "/crm", Type: "account.profile", Account: f.Account,
		Profile: &Profile{f.Attributes, f.domains},
	}
}
