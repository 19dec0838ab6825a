# mdoc.awk - turns what the program says of itself into the language of manual pages, mdoc(7).
#
# `kind` is how the input is to be read: "help", a text of --help, or "keys", the Markdown page of the
# configuration file. What neither of them prints is not understood here.

function plain(text) {
	gsub(/\\/, "\\e", text)
	gsub(/`/, "", text)
	return text
}

# Text lines: each sentence begins a line, none is long or looks like a macro.
function say(text,    sentence) {
	text = plain(text)
	gsub(/--/, "\\-\\-", text)
	said = 1
	while (match(text, /[.:?!] [A-Z]/)) {
		sentence = substr(text, 1, RSTART)
		text = substr(text, RSTART + 2)
		wrap(sentence)
	}
	wrap(text)
}

function wrap(text,    words, count, i, line) {
	count = split(text, words, / +/)
	for (i = 1; i <= count; i++) {
		if (line != "" && length(line) + length(words[i]) >= 78) {
			print guard(line)
			line = words[i]
		} else {
			line = line (i > 1 ? " " : "") words[i]
		}
	}
	print guard(line)
}

function guard(text) {
	return text ~ /^[.']/ ? "\\&" text : text
}

# A word between macros: none may be taken for one, or for punctuation.
function word(text) {
	return "\\&" plain(text)
}

function list(width) {
	if (!listing)
		print ".Bl -tag -width " width
	listing = 1
}

function end_list() {
	if (listing)
		print ".El"
	listing = 0
}

# An empty line of the input parts paragraphs, unless nothing comes before it or a list goes on.
function paragraph() {
	if (pending && !listing)
		print ".Pp"
	pending = 0
}

# "-h, --help", "--[no-]web.x", "--file=FILE", "--file FILE": each name is a flag, each value an argument.
function flag(text,    parts, count, i, line, name, value) {
	count = split(text, parts, /, /)
	for (i = 1; i <= count; i++) {
		name = parts[i]
		value = ""
		if (match(name, /[= ]/)) {
			value = (substr(name, RSTART, 1) == "=" ? " Ns = Ns Ar " : " Ar ") word(substr(name, RSTART + 1))
			name = substr(name, 1, RSTART - 1)
		}
		line = line (i > 1 ? " , " : " ") "Fl " substr(plain(name), 2) value
	}
	list("Ds")
	print ".It" line
}

# How it is called may take several lines, up to an empty one.
kind == "help" && /^usage: / {
	call = substr($0, 8)
	next
}

call != "" && $0 != "" {
	sub(/^ +/, " ")
	call = call $0
	next
}

call != "" {
	say(call)
	call = ""
	pending = 1
	next
}

# The flags' texts name their variables last.
kind == "help" && /^          \$/ {
	print ".Pq Ev " word(substr($0, 12))
	next
}

kind == "help" && /^          / {
	sub(/^ +/, "")
	say($0)
	next
}

# "  --repo KEY  only this repository"
kind == "help" && /^ +-.*[^ ]  +[^ ]/ {
	sub(/^ +/, "")
	split($0, columns, /  +/)
	flag(columns[1])
	say(columns[2])
	next
}

kind == "help" && /^ +-/ {
	sub(/^ +/, "")
	flag($0)
	next
}

# A command of the list of all commands: they have parts of their own.
kind == "help" && /^Commands:/ {
	exit
}

kind == "keys" && /^## The file/ {
	begun = 1
	next
}

kind == "keys" && !begun {
	next
}

kind == "keys" && /^```yaml/ {
	print ".Bd -literal -offset indent"
	literal = 1
	next
}

kind == "keys" && /^```/ {
	print ".Ed"
	literal = 0
	pending = 1
	next
}

literal {
	print guard(plain($0))
	next
}

kind == "keys" && /^### / {
	end_list()
	said = pending = 0
	print ".Ss " substr($0, 5) "\\&"
	next
}

kind == "keys" && (/^\| Key/ || /^\| ---/ || /^<!--/) {
	next
}

# "| `key` | value | default | meaning |"
kind == "keys" && /^\| / {
	split($0, cells, / *\| */)
	list("Ds")
	print ".It Ic " word(cells[2])
	say(cells[5])
	say("Takes " cells[3] (cells[4] == "" ? "." : "; default: " cells[4] "."))
	next
}

/^$/ {
	if (kind == "help")
		end_list()
	pending = said
	next
}

{
	paragraph()
	sub(/^ +/, "")
	say($0)
}

END {
	end_list()
}
