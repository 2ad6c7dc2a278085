// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dtrec/dtrec/internal/plural"
	"github.com/dtrec/dtrec/report/answers"
	"github.com/dtrec/dtrec/schema"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// wordValue is the value of a flag that takes one word, which read converts.
type wordValue[T any] struct {
	completions
	to    *T
	given string
	read  func(string) (T, error)
}

// completions holds the words that the shell completes for a flag.
type completions []string

func (o completions) words() []string { return o }

// addCompletions makes the shell complete the words of a command's flags.
func addCompletions(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if v, ok := f.Value.(interface{ words() []string }); ok && len(v.words()) > 0 {
			_ = cmd.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(v.words(), cobra.ShellCompDirectiveNoFileComp)) // fails only if one is registered already
		}
	})
}

// flagOf returns the value of a flag that takes one word. Unless is the word that stands for the
// default; if it is empty, the help shows no default.
func flagOf[T any](to *T, unless string, read func(string) (T, error)) *wordValue[T] {
	w := &wordValue[T]{to: to, given: unless, read: read}
	if v, err := read(unless); err == nil {
		*to = v
	}
	return w
}

// oneOf returns the value of a flag that must be one of the known words; *to is the default.
func oneOf[T ~string](to *T, known ...T) *wordValue[T] {
	w := flagOf(to, string(*to), parseOneOf(known...))
	w.completions = wordStrings(known)
	return w
}

func parseOneOf[T ~string](known ...T) func(string) (T, error) {
	return func(s string) (T, error) {
		if slices.Contains(known, T(s)) {
			return T(s), nil
		}
		return "", &wordError{s, "not one of " + joinWords(known)}
	}
}

func joinWords[T ~string](words []T) string { return strings.Join(wordStrings(words), ", ") }

func wordStrings[T ~string](words []T) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = string(w)
	}
	return out
}

func (w *wordValue[T]) String() string { return w.given }
func (w *wordValue[T]) Type() string   { return "string" }

func (w *wordValue[T]) Set(s string) (err error) {
	if *w.to, err = w.read(s); err == nil {
		w.given = s
	}
	return err
}

// listValue is the value of a flag that takes words with commas between them and may be repeated.
type listValue[T any] struct {
	completions
	to    *[]T
	given []string
	read  func(string) (T, error)
}

// listOf returns the value of such a flag; words, if any, are offered for completion.
func listOf[T any](to *[]T, read func(string) (T, error), words ...string) *listValue[T] {
	return &listValue[T]{completions: words, to: to, read: read}
}

func (l *listValue[T]) String() string     { return strings.Join(l.given, ",") }
func (l *listValue[T]) Type() string       { return "words" }
func (l *listValue[T]) GetSlice() []string { return l.given }

func (l *listValue[T]) Set(s string) error {
	for _, w := range strings.Split(s, ",") {
		v, err := l.read(w)
		if err != nil {
			return err
		}
		*l.to, l.given = append(*l.to, v), append(l.given, w)
	}
	return nil
}

// wordError says what is wrong with a word that was given as a flag's value.
type wordError struct{ word, why string }

func (e *wordError) Error() string {
	if e.word == "" {
		return ": empty"
	}
	return " " + display(e.word) + ": " + e.why
}

// flagError turns an error of pflag into a usage error.
func flagError(cmd *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	var wrong *wordError
	var exit *exitError
	switch {
	case !errors.As(err, &invalid):
	case errors.As(err, &wrong):
		err = fmt.Errorf("--%s%w", invalid.GetFlag().Name, wrong)
	case errors.As(err, &exit):
		return &exitError{exit.code, fmt.Errorf("--%s: %w", invalid.GetFlag().Name, exit.err), exit.hint}
	}
	added := regexp.MustCompile(`: strconv\.\w+: parsing "[^"]*": (.*)$`) // what strconv adds about a flag's value
	return usageError(cmd, errors.New(added.ReplaceAllString(err.Error(), ": $1")))
}

// readRole finds a role by its name.
func readRole(name string) (schema.Role, error) {
	if r, ok := schema.RoleNamed(name); ok {
		return r, nil
	} else if name == "" {
		return 0, &wordError{}
	}
	return 0, &exitError{exitTrouble, fmt.Errorf("no such role: %s", display(name)), "the roles are " + strings.Join(roleNames(), ", ")}
}

func roleNames() (names []string) {
	for _, info := range schema.Catalogue() {
		names = append(names, info.Name)
	}
	return names
}

func readPID(s string) (uint32, error) {
	pid, err := strconv.ParseUint(s, 10, 31)
	if err != nil || pid == 0 {
		return 0, &wordError{s, "not a process id"}
	}
	return uint32(pid), nil
}

// flagTime is a time as given in a flag: nanoseconds since boot, or if relative, since the start of the
// recording.
type flagTime struct {
	ns       uint64
	relative bool
}

// sinceBoot returns the time in nanoseconds since boot, for a recording that began at start.
func (m flagTime) sinceBoot(start uint64) uint64 {
	if m.relative {
		return m.ns + start
	}
	return m.ns
}

// readMoment reads a time in seconds with up to nine decimals, since boot or, after a +, since the
// start of the recording.
func readMoment(s string) (flagTime, error) {
	number, relative := strings.CutPrefix(s, "+")
	whole, decimals, _ := strings.Cut(number, ".")
	seconds, err := strconv.ParseUint(whole, 10, 32)
	if err == nil && len(decimals) <= 9 {
		var ns uint64
		if ns, err = strconv.ParseUint((decimals + "000000000")[:9], 10, 64); err == nil {
			return flagTime{seconds*1e9 + ns, relative}, nil
		}
	}
	return flagTime{}, &wordError{s, "not a time in seconds, such as 12.5 or +0.25"}
}

// readSize reads a number of bytes with an optional K, M or G, or k, m or g (1024 each).
func readSize(s string) (int64, error) {
	digits, shift := strings.TrimRight(strings.ToUpper(s), "KMG"), 0
	if len(digits) == len(s)-1 {
		shift = 10 * (1 + strings.IndexByte("KMG", strings.ToUpper(s)[len(digits)]))
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || len(digits) < len(s)-1 || n <= 0 || n > 1<<(62-shift) {
		return 0, &wordError{s, "not a size"}
	}
	return n << shift, nil
}

// checkFlags refuses values that are wrong for every flag: an empty word, and a number that is not one
// or not more than 0. It looks only at flags that were set on the command line.
func checkFlags(cmd *cobra.Command) error {
	var wrong error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if why := badValue(f); why != "" && wrong == nil {
			wrong = usageError(cmd, fmt.Errorf("--%s%s", f.Name, why))
		}
	})
	return wrong
}

// badValue says what is wrong with the value of a flag, as far as its type tells, or returns "".
func badValue(f *pflag.Flag) string {
	value := f.Value.String()
	switch f.Value.Type() {
	case "string":
		if value == "" {
			return ": empty"
		}
	case "stringSlice":
		if words, ok := f.Value.(pflag.SliceValue); ok && (len(words.GetSlice()) == 0 || slices.Contains(words.GetSlice(), "")) {
			return ": empty"
		}
	case "duration":
		if d, err := time.ParseDuration(value); err == nil && d <= 0 {
			return " " + value + ": not more than 0"
		}
	case "int", "int64", "uint", "uint32", "uint64", "float64":
		if n, err := strconv.ParseFloat(value, 64); err != nil || !(n > 0) || n > 1e300 {
			return " " + value + ": not more than 0"
		}
	}
	return ""
}

// newHelpCmd makes the command 'help', which unlike cobra's returns an error for a command that does
// not exist.
func newHelpCmd(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		Long: `Prints the help of a command, as 'dtrec COMMAND --help' does.

Exit status: 0 printed, 2 no such command.`,
		Example: `  dtrec help replay`,
		ValidArgsFunction: func(*cobra.Command, []string, string) (names []string, _ cobra.ShellCompDirective) {
			for _, c := range root.Commands() {
				if !c.Hidden {
					names = append(names, c.Name())
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return noSuchCommand(root, args[len(args)-max(1, len(rest)):])
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
	}
}

// outputFormat is a value of the flag --format.
type outputFormat string

const (
	textFormat     outputFormat = "text"
	jsonFormat     outputFormat = "json"
	dmesgFormat    outputFormat = "dmesg"
	markdownFormat outputFormat = "markdown"
	htmlFormat     outputFormat = "html"
	ktapFormat     outputFormat = "ktap"
	junitFormat    outputFormat = "junit"
)

// addFormatFlag adds --format to a command; the first of the known formats is the default.
func addFormatFlag(cmd *cobra.Command, f *outputFormat, known ...outputFormat) {
	*f = known[0]
	cmd.Flags().Var(oneOf(f, known...), "format", "output `FORMAT`: "+joinWords(known))
}

func addRunFlag(f *pflag.FlagSet, run *int) {
	f.IntVar(run, "run", 0, "read run `N`, where the file has several, from 1")
}

// questionFlags holds the flags of a command that answers a question about one trace, as text or JSON.
type questionFlags struct {
	run    int
	format outputFormat
}

func (q *questionFlags) register(cmd *cobra.Command) {
	addRunFlag(cmd.Flags(), &q.run)
	addFormatFlag(cmd, &q.format, textFormat, jsonFormat)
}

// ask opens a trace and prints what answer returns: a value, which is printed as JSON, and a function
// that prints it as text.
func (q *questionFlags) ask(cmd *cobra.Command, path string, answer func(*trace) (any, func(io.Writer) error, error)) error {
	t, err := openTrace(cmd, path, q.run)
	if err != nil {
		return err
	}
	defer t.Close()
	value, text, err := answer(t)
	if err != nil {
		return err
	}
	if q.format == jsonFormat {
		return answers.WriteJSON(cmd.OutOrStdout(), value)
	}
	return text(cmd.OutOrStdout())
}

// exactArgs accepts n arguments; what describes them in the usage error.
func exactArgs(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error { return checkCount(cmd, len(args) == n, what, len(args)) }
}

// atLeastOne accepts one argument or more; what describes them in the usage error.
func atLeastOne(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error { return checkCount(cmd, len(args) > 0, what, len(args)) }
}

func checkCount(cmd *cobra.Command, right bool, what string, n int) error {
	if right {
		return nil
	}
	return usageError(cmd, fmt.Errorf("%s takes %s, got %s", cmd.Name(), what, plural.Of(uint64(n), "argument")))
}
