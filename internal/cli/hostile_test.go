// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// hostile returns strings that a terminal or a page would act on if they were not escaped.
func hostile() []string {
	return []string{
		"<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</title><svg/onload=alert(1)>", "<!--", "--><b>",
		"[x](javascript:alert(1))", "![x](http://evil.example/x.png)", "[x]: javascript:alert(1)", "\n[y]: javascript:alert(1)\n\n[y]\n",
		"<javascript:alert(1)>", "http://evil.example/", "`</code><script>alert(1)</script>`", "```\n<script>alert(1)</script>",
		"{{ site.github }}", "{% include evil %}", "a|b|<i>c", "x\n\n<script>alert(1)</script>\n\n", "\n# heading\n", "\n---\n",
		"\x1b[31mred\x1b]0;title\x07", "\u009b31m", "\u202egnp.exe\u2066", "\r\x1b[2K", "\x00\x08\x7f", "\xff\xfe\x80", "\u2028\u200b\ufeff", "\U000e0041",
		`\"><script>alert(1)</script>`, "\" onclick=\"x", "*_**__~~", "|||", "'$(id)'", "&lt;script&gt;", "a\tb\vc\fd",
	}
}

// fillHostile sets every string and bytes field of a message and of the messages in it.
func fillHostile(m protoreflect.Message, text string) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		text := strings.ToValidUTF8(text, "�")
		value := func() protoreflect.Value { return protoreflect.ValueOfString(text) }
		if f.Kind() == protoreflect.BytesKind {
			value = func() protoreflect.Value { return protoreflect.ValueOfBytes([]byte(text)) }
		}
		switch {
		case f.Kind() == protoreflect.MessageKind && f.IsList():
			list := m.Mutable(f).List()
			for k := range list.Len() {
				fillHostile(list.Get(k).Message(), text)
			}
		case f.Kind() == protoreflect.MessageKind:
			fillHostile(m.Mutable(f).Message(), text)
		case f.Kind() != protoreflect.StringKind && f.Kind() != protoreflect.BytesKind:
		case f.IsList():
			m.Mutable(f).List().Append(value())
		default:
			m.Set(f, value())
		}
	}
}

// hostileTrace writes a trace in which every string is the given text, with everything that a page
// shows and with events missing. If imported is set, it is marked as made from a kernel log.
func hostileTrace(t *testing.T, text string, imported bool) string {
	t.Helper()
	var file bytes.Buffer
	h := tracetest.Header()
	fillHostile(h.ProtoReflect(), text)
	for i, p := range h.Probe {
		if p.Attached = i%7 != 0; imported {
			p.Attach = schema.Attach_ATTACH_DMESG
		}
	}
	w, err := schema.NewWriter(&file, h)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	tracetest.Generate(400, func(e *schema.Event) {
		if n++; n%9 != 0 && e.Name != "" && e.Role != schema.RoleOpen {
			e.Name, e.NameLen = text, uint32(len(text))
		}
		if e.Role == schema.RoleOpen && e.Phase == schema.Enter {
			e.Name += text
			e.NameLen = uint32(len(e.Name))
		}
		e.Comm = text
		if e.FSType != "" {
			e.FSType = text
		}
		if imported {
			e.PID, e.TID, e.Symbol = 0, 0, text
			e.Columns = e.Columns.With(schema.ColumnSymbol)
		}
		if err := w.Append(e); err != nil {
			t.Fatal(err)
		}
	})
	program, footer := &schema.Program{}, &schema.Footer{}
	fillHostile(program.ProtoReflect(), text)
	fillHostile(footer.ProtoReflect(), text)
	if err := w.Program(program); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(footer); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "hostile.pb")
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestHostileTextStaysText checks that no command prints text from a trace in a form that a terminal, a
// browser or a JSON parser would act on.
func TestHostileTextStaysText(t *testing.T) {
	for i, text := range hostile() {
		for _, imported := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d %v", i, imported), func(t *testing.T) {
				t.Parallel()
				checkHostile(t, hostileTrace(t, text, imported))
			})
		}
	}
	for _, name := range []string{"hostile.pb", "symbol-01.pb"} {
		t.Run(name, func(t *testing.T) { checkHostile(t, filepath.Join("internal", "cli", "testdata", "hostile", name)) })
	}
}

func checkHostile(t *testing.T, trace string) {
	said := func(args ...string) string {
		var out, errs bytes.Buffer
		if code := Run(args, strings.NewReader(""), &out, &errs); code > 1 && args[0] != "diff" {
			t.Errorf("%v: exit %d: %s", args[:len(args)-1], code, errs.String())
		}
		checkPlainText(t, fmt.Sprint(args[:2]), out.String()+errs.String())
		return out.String()
	}
	for _, args := range [][]string{{"info"}, {"summary"}, {"top"}, {"top", "--of", "misses", "--by", "dir"}, {"top", "--by", "task"}, {"check"}, {"check", "--without", "insert"}, {"check", "traces/run1.pb"}, {"replay"}, {"replay", "--wide"}, {"replay", "--format", "dmesg"}, {"diff", trace}, {"diff", "traces/run1.pb"}} {
		said(append(args, trace)...)
	}
	for _, args := range [][]string{{"info"}, {"summary"}, {"check"}, {"replay"}, {"diff", trace}} {
		out := json.NewDecoder(strings.NewReader(said(append(args, "--format", "json", trace)...)))
		for out.More() {
			var v any
			if err := out.Decode(&v); err != nil {
				t.Errorf("%v: %v", args, err)
				break
			}
		}
	}
	page := said("report", "--explain", "hash", trace)
	checkDeadPage(t, "report", page)
	checkSoundPage(t, "report", page, mostPage)
	checkSoundPage(t, "report --brief", said("report", "--brief", trace), mostBrief)
	checkDeadPage(t, "diff", said("diff", "--format", "markdown", "traces/run1.pb", trace))
	file := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := Run([]string{"check", "--page", file, trace}, nil, &out, &errs); code != 0 && len(page) > 0 {
		t.Errorf("the report does not hold against its own trace: exit %d\n%.2000s%s", code, out.String(), errs.String())
	}
}

// checkPlainText checks that a text contains only printable characters, newlines and tabs.
func checkPlainText(t *testing.T, what, text string) {
	t.Helper()
	for i, r := range text {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			t.Errorf("%s: %U at byte %d: %q", what, r, i, text[max(0, i-60):min(len(text), i+20)])
			return
		}
	}
}

// ownTags are the HTML elements that the Markdown of our pages becomes.
var ownTags = []string{"h1", "h2", "h3", "h4", "p", "ul", "ol", "li", "pre", "code", "strong", "em", "hr", "br", "table", "thead", "tbody", "tr", "th", "td", "blockquote", "del", "details", "summary"}

// ownLink matches a link to a section of the page, or the anchor of a program's section.
var ownLink = regexp.MustCompile(`^(<a href="#(p\d+|verdicts|lines|user-programs|why-these-probes|man-pages-used-parts|hashes-step-by-step)">|<a id="p\d+">|</a>)$`)

var anyTag = regexp.MustCompile(`<(/?)([^\s>/]*)([^>]*)>`)

// checkDeadPage renders a page with raw HTML enabled, and checks that it has no elements but those of our
// own Markdown.
func checkDeadPage(t *testing.T, what, page string) {
	t.Helper()
	for _, open := range []string{"{{", "{%"} {
		if strings.Contains(page, open) {
			t.Errorf("%s: the page has %s", what, open)
		}
	}
	for _, body := range []string{page, strings.TrimPrefix(page, "---\n")} {
		var out bytes.Buffer
		md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe()))
		if err := md.Convert([]byte(body), &out); err != nil {
			t.Fatal(err)
		}
		for _, tag := range anyTag.FindAllStringSubmatch(out.String(), -1) {
			attributes := strings.TrimSuffix(strings.TrimSpace(tag[3]), "/")
			if ownLink.MatchString(tag[0]) {
				continue
			}
			if !slices.Contains(ownTags, tag[2]) || attributes != "" && !regexp.MustCompile(`^ ?(style="text-align:\w+"|class="language-\w+"|id="[\w-]*")?$`).MatchString(attributes) {
				t.Errorf("%s: live %q", what, tag[0])
				return
			}
		}
	}
}

// TestHostileArgumentsStayText checks that hostile text in an argument is escaped in the error about
// it.
func TestHostileArgumentsStayText(t *testing.T) {
	for _, text := range hostile() {
		text = strings.ReplaceAll(text, "\x00", "")
		for _, args := range [][]string{
			{"info", text}, {"summary", text}, {"top", "--of", text, "traces/run1.pb"}, {"show", "traces/run1.pb", text}, {"top", "--by", text, "traces/run1.pb"}, {"check", text}, {"report", text}, {"replay", text}, {"diff", text, text}, {"import", text}, {text}, {"help", text},
			{"info", "--" + text}, {"info", "--format", text, "traces/run1.pb"}, {"replay", "--role", text, "traces/run1.pb"}, {"replay", "--from", text, "traces/run1.pb"},
			{"replay", "--pid", text, "traces/run1.pb"}, {"check", "--without", text, "traces/run1.pb"}, {"report", "--explain", text, "traces/run1.pb"},
			{"diff", "--latency=" + text, "a", "b"}, {"check", "--page", text, "traces/run1.pb"}, {"info", "-" + text},
		} {
			var out, errs bytes.Buffer
			code := Run(args, strings.NewReader(""), &out, &errs)
			checkPlainText(t, fmt.Sprintf("%q", args), out.String()+errs.String())
			if lines := strings.Count(errs.String(), "\n"); code == exitTrouble && lines != 2 {
				t.Errorf("%q: %d lines:\n%s", args, lines, errs.String())
			}
		}
	}
}
