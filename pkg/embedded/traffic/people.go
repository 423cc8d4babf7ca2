package traffic

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Person works for a firm. The JSON is the contact of a CloudEvent.
type Person struct {
	ID    string `json:"id"`
	Email string `json:"email"`
	Title string `json:"title"`
	// Role is what the CRM knows of the person's part in buying; mostly nothing.
	Role string `json:"role,omitempty"`

	unique bool // a firm has one of them
	intern bool
}

// staff are the people of a firm who ever show.
type staff struct {
	executive, vice, director, manager, analyst *Person
	interns                                     [2]*Person
}

// job is a title with what the CRM adds to it.
type job struct{ title, role string }

// The jobs by rank. Titles hold the words that the reference model looks for.
var (
	executives = []job{{"CFO", ""}, {"CTO", ""}, {"Chief Procurement Officer", ""}, {"Chief Revenue Officer", ""}}
	vices      = []job{{"VP Engineering", "technical_buyer"}, {"VP Finance", ""}, {"VP Sales", ""}, {"Head of Procurement", ""}}
	directors  = []job{{"Director of IT", "technical_buyer"}, {"Marketing Director", ""}, {"Director of Operations", ""}}
	managers   = []job{{"Marketing Manager", ""}, {"Sales Operations Manager", ""}, {"Product Manager", ""}}
	analysts   = []job{{"Solutions Architect", ""}, {"Business Analyst", ""}, {"Software Developer", ""}}
	interns    = []job{{"Research Intern", ""}, {"Working Student", ""}, {"Trainee", ""}, {"Office Assistant", ""}}
)

var forenames = strings.Fields(`Ada Amara Anton Beatriz Bjorn Carla Chidi Clara Dana Dev Elena Emil Fatima Felix Grace Hana
	Hugo Ines Ivan Jana Jonas Kaori Karim Lea Liam Lucia Mara Mateo Mei Milan Nadia Nils Noor Olga Omar Paula Priya Rafael
	Rosa Ruben Sana Selma Soren Tariq Tessa Tomas Uma Vera Victor Wanda Yara Yusuf Zoe`)

var surnames = strings.Fields(`Abara Almeida Anders Bakshi Berger Brandt Castell Cho Costa Dahl Dubois Eriksen Farah Ferreira
	Fischer Garcia Haddad Hansen Ibarra Ito Jansen Kaya Keller Khan Kowalski Laurent Lindqvist Lopez Marek Meyer Mori Nakata
	Novak Okafor Olsen Park Petrov Quist Rahman Reyes Rossi Saito Santos Schmidt Sharma Silva Tanaka Torres Ueda Varga
	Weber Wolff Yilmaz Zhang`)

// hire peoples a firm; domain is that of its e-mail addresses.
func hire(r *rand.Rand, firm int, domain string) staff {
	n := 0
	person := func(jobs []job, unique bool) *Person {
		j := jobs[r.IntN(len(jobs))]
		name := strings.ToLower(forenames[r.IntN(len(forenames))] + "." + surnames[r.IntN(len(surnames))])
		n++
		return &Person{
			ID: fmt.Sprintf("c-%03d-%d", firm, n), Email: name + "@" + domain,
			Title: j.title, Role: j.role, unique: unique,
		}
	}
	out := staff{
		executive: person(executives, true), vice: person(vices, false), director: person(directors, false),
		manager: person(managers, false), analyst: person(analysts, false),
		interns: [2]*Person{person(interns, false), person(interns, false)},
	}
	out.interns[0].intern, out.interns[1].intern = true, true
	return out
}
