// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io"
	"math"
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

// flagValue is the value of a flag that takes words, which read converts: one, or as a list any number, with
// commas between them or the flag repeated.
type flagValue[T any] struct {
	read  func(string) (T, error)
	take  func(T) // is given every word that was read
	list  bool
	given []string
	known []string // what the shell completes
}

func (f *flagValue[T]) String() string        { return strings.Join(f.given, ",") }
func (f *flagValue[T]) GetSlice() []string    { return f.given }
func (f *flagValue[T]) completions() []string { return f.known }

func (f *flagValue[T]) Type() string {
	if f.list {
		return "words"
	}
	return "string"
}

func (f *flagValue[T]) Set(s string) error {
	words := []string{s}
	if f.list {
		words = strings.Split(s, ",")
	}
	for _, w := range words {
		v, err := f.read(w)
		if err != nil {
			return err
		}
		f.take(v)
	}
	if f.list {
		words = append(f.given, words...)
	}
	f.given = words
	return nil
}

// flagOf returns the value of a flag that takes one word. Unless is the word that stands for the
// default; if it is empty, the help shows no default.
func flagOf[T any](to *T, unless string, read func(string) (T, error)) *flagValue[T] {
	f := &flagValue[T]{read: read, take: func(v T) { *to = v }}
	_ = f.Set(unless) // fails if it is empty, and leaves what is there
	return f
}

// oneOf returns the value of a flag that must be one of the known words; *to is the default.
func oneOf(to *string, known ...string) *flagValue[string] {
	f := flagOf(to, *to, parseOneOf(known...))
	f.known = known
	return f
}

// listOf returns the value of a flag that takes a list; words, if any, are offered for completion.
func listOf[T any](to *[]T, read func(string) (T, error), words ...string) *flagValue[T] {
	return &flagValue[T]{read: read, take: func(v T) { *to = append(*to, v) }, list: true, known: words}
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

// addCompletions makes the shell complete the words of a command's flags.
func addCompletions(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if v, ok := f.Value.(interface{ completions() []string }); ok && len(v.completions()) > 0 {
			_ = cmd.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(v.completions(), cobra.ShellCompDirectiveNoFileComp)) // fails only if one is registered already
		}
	})
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

// The values of --format.
const (
	textFormat     = "text"
	jsonFormat     = "json"
	dmesgFormat    = "dmesg"
	markdownFormat = "markdown"
	htmlFormat     = "html"
	ktapFormat     = "ktap"
	junitFormat    = "junit"
)

// addFormatFlag adds --format to a command; the first of the known formats is the default.
func addFormatFlag(cmd *cobra.Command, known ...string) {
	format := known[0]
	cmd.Flags().Var(oneOf(&format, known...), "format", "output `FORMAT`: "+strings.Join(known, ", "))
}

// formatOf returns the value of --format.
func formatOf(cmd *cobra.Command) string { return cmd.Flags().Lookup("format").Value.String() }

// addRunFlag adds --run, which openTrace reads, to a command that reads one run.
func addRunFlag(f *pflag.FlagSet) {
	f.Int("run", 0, "read run `N`, where the file has several, from 1")
}

// addQuestionFlags adds the flags of a command that answers a question about one trace, as text or JSON.
func addQuestionFlags(cmd *cobra.Command) {
	addRunFlag(cmd.Flags())
	addFormatFlag(cmd, textFormat, jsonFormat)
}

// ask opens a trace and prints what answer returns: a value, which is printed as JSON, and a function
// that prints it as text.
func ask(cmd *cobra.Command, path string, answer func(*trace) (any, func(io.Writer) error, error)) error {
	t, err := openTrace(cmd, path)
	if err != nil {
		return err
	}
	defer t.Close()
	value, text, err := answer(t)
	if err != nil {
		return err
	}
	if formatOf(cmd) == jsonFormat {
		return answers.WriteJSON(cmd.OutOrStdout(), value)
	}
	return text(cmd.OutOrStdout())
}

// takes accepts from least to most arguments; what describes them in the usage error.
func takes(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if n := len(args); n < least || n > most {
			return usageError(cmd, fmt.Errorf("%s takes %s, got %s", cmd.Name(), what, plural.Of(uint64(n), "argument")))
		}
		return nil
	}
}

// many is a number of arguments without a limit.
const many = math.MaxInt
