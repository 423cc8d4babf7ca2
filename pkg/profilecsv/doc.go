// Package profilecsv makes profiles of a CSV file, such as a CRM exports.
//
// The first line names the columns. `account` is required: the account's id. `domain` or `domains`
// hold domains, apart by semicolons or blanks; `parent` another account's id. Every
// other column is an attribute, whose type is that of all its cells: boolean if
// each is true or false, number if each is one that loses nothing by it (no
// leading zeros, at most 15 digits), else text. A name such as zip:text, size:number, public:boolean or
// technologies:list (apart by semicolons) says the type itself. An empty cell is
// an attribute that the account does not have.
//
// A file is read twice: Check finds every fault, with its line and column, before
// anything is made of it. The same file gives the same events: their ids come from what is in the
// row. The API is internal to Tidemark and may change.
package profilecsv
