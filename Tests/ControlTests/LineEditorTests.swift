// SPDX-License-Identifier: GPL-2.0-or-later

import TestSupport
import Testing

@testable import Control

/// A terminal of one row, which understands what the editor sends.
private struct Terminal {
  private(set) var rows: [[Character]] = [[]]
  private var column = 0
  private var sequence: String?

  /// The row with the cursor.
  var row: String { String(rows[rows.count - 1]) }
  /// What is left of the cursor.
  var beforeCursor: String { String(rows[rows.count - 1].prefix(column)) }

  mutating func show(_ bytes: [UInt8]) {
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
      if let started = sequence {
        continueSequence(started, scalar)
        continue
      }
      switch scalar {
      case "\r": column = 0
      case "\n": rows.append([])
      case "\u{8}": column = max(0, column - 1)
      case "\u{7}": break
      case "\u{1B}": sequence = ""
      default:
        if column < rows[rows.count - 1].count {
          rows[rows.count - 1][column] = Character(scalar)
        } else {
          rows[rows.count - 1].append(Character(scalar))
        }
        column += 1
      }
    }
  }

  private mutating func continueSequence(_ started: String, _ scalar: Unicode.Scalar) {
    guard scalar.properties.isAlphabetic else {
      sequence = started + String(scalar)
      return
    }
    sequence = nil
    let number = Int(started.dropFirst()) ?? 1
    switch scalar {
    case "D": column = max(0, column - number)
    case "C": column += number
    case "K": rows[rows.count - 1] = Array(rows[rows.count - 1].prefix(column))
    case "J": rows = [[]]
    case "H": column = 0
    default: Issue.record("the terminal does not know ESC\(started)\(scalar)")
    }
  }
}

/// A person at it.
private struct Person {
  var editor = LineEditor(prompt: "> ")
  var terminal = Terminal()
  private(set) var outcomes: [LineEditor.Outcome] = []

  init() {
    editor.begin(prompt: "> ")
    look()
  }

  mutating func look() { terminal.show(editor.takeOutput()) }

  mutating func type(_ text: String) {
    for byte in text.utf8 {
      let outcome = editor.take(byte)
      if outcome != .none { outcomes.append(outcome) }
      if case .line = outcome { editor.begin(prompt: "> ") }
      look()
    }
  }
}

@Suite struct LineEditorTests {
  @Test(arguments: [
    ("info status", "info status"), ("helo\u{8}\u{8}lp", "help"), ("helo\u{7F}p", "help"),
    ("elp\u{1}h", "help"), ("hep\u{1B}[Dl", "help"), ("hlp\u{1B}OH\u{1B}[Ce\u{5}!", "help!"),
    ("xhelp\u{1B}[H\u{1B}[3~", "help"), ("xhelp\u{1B}[1~\u{4}", "help"), ("a b c\u{17}\u{17}d", "a d"),
    ("abcdef\u{1B}[D\u{1B}[D\u{B}", "abcd"), ("abc\u{15}d", "d"), ("ab\u{1B}[D\u{15}", "b"),
    ("one two\u{1B}b\u{1B}bx\u{1B}f y", "xone y two"), ("äöü\u{8}€", "äö€"), ("\u{2}\u{2}a\u{6}\u{6}b", "ab"),
    ("a\u{1B}[1;5Cb", "ab"), ("a\u{0}\u{1F}\u{1B}[5~\u{1B}[99xb", "ab"), ("abc\u{3}d", "d"),
  ]) func aLineIsWhatItLookedLike(_ keys: String, _ expected: String) {
    var person = Person()
    person.type(keys)
    #expect(person.terminal.row == "> " + expected)
    person.type("\r")
    #expect(person.outcomes == [.line(expected)])
    #expect(person.terminal.row == "> ")
  }

  @Test func typingAtTheEndIsPlainEcho() {
    var editor = LineEditor(prompt: "(qemu) ")
    editor.begin(prompt: "(qemu) ")
    for byte in "info status\n".utf8 { _ = editor.take(byte) }
    #expect(String(decoding: editor.takeOutput(), as: UTF8.self) == "(qemu) info status\r\n")
  }

  @Test func linesEndWithAnyOfTheEnds() {
    var person = Person()
    person.type("a\rb\nc\r\nd\n\ne\r")
    #expect(person.outcomes == ["a", "b", "c", "d", "", "e"].map { .line($0) })
  }

  @Test func historyGoesBackAndForth() {
    var person = Person()
    person.type("one\rtwo\rone\rthree\rdraft")
    person.type("\u{1B}[A")
    #expect(person.terminal.row == "> three")
    person.type("\u{10}\u{10}\u{10}\u{10}")
    #expect(person.terminal.row == "> two")
    person.type("\u{1B}[B\u{1B}OB")
    #expect(person.terminal.row == "> three")
    person.type("\u{E}\u{E}")
    #expect(person.terminal.row == "> draft")
    for index in 0..<200 { person.type("line \(index)\r") }
    #expect(person.editor.history.lines.count == LineHistory.capacity)
    #expect(person.editor.history.lines.last == "line 199")
  }

  @Test func aPasswordIsNeitherShownNorKept() {
    var editor = LineEditor(prompt: "> ")
    editor.begin(prompt: "Password: ", isSecret: true)
    var outcome = LineEditor.Outcome.none
    for byte in "secrex\u{8}t\u{1B}[D\u{1B}[C\u{1}\u{5}\u{1B}[A\t\u{C}\r".utf8 { outcome = editor.take(byte) }
    #expect(outcome == .line("secret"))
    #expect(!String(decoding: editor.takeOutput(), as: UTF8.self).contains("s\u{65}"))
    #expect(editor.history.lines.isEmpty)
  }

  @Test func aLineHasAnEnd() {
    var person = Person()
    for _ in 0..<5000 { _ = person.editor.take(0x61) }
    _ = person.editor.takeOutput()
    person.type("\r")
    #expect(person.outcomes == [.line(String(repeating: "a", count: LineEditor.capacity))])
  }

  @Test func anyKeysLeaveTheScreenAsTheLineIs() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var generator = SeededGenerator(seed: seed)
    let keys = [
      "a", "b", " ", "ü", "\u{8}", "\u{1}", "\u{5}", "\u{B}", "\u{15}", "\u{17}", "\u{4}", "\u{1B}[A",
      "\u{1B}[B",
      "\u{1B}[C", "\u{1B}[D", "\u{1B}[3~", "\u{1B}b", "\u{1B}f", "\r", "\u{C}", "word ",
    ]
    var person = Person()
    for _ in 0..<3000 {
      person.type(keys.randomElement(using: &generator) ?? "")
      let before = person.outcomes.count
      let shown = person.terminal.row
      if Int.random(in: 0..<10, using: &generator) == 0 {
        person.type("\r")
        #expect(person.outcomes.dropFirst(before) == [.line(String(shown.dropFirst(2)))])
      }
    }
    // Bytes that no terminal sends.
    for _ in 0..<20000 { _ = person.editor.take(UInt8.random(in: 0...255, using: &generator)) }
  }

  @Test func completionGoesAsFarAsItIsCertain() {
    let all = ["eject", "expire_password", "screendump", "system_reset", "system_powerdown"]
    #expect(Completion("sc", of: all).certain { _ in " " } == "reendump ")
    #expect(Completion("sy", of: all).certain { _ in " " } == "stem_")
    #expect(Completion("system_", of: all).certain { _ in " " } == "")
    #expect(Completion("system_", of: all).columns == "system_powerdown  system_reset\r\n")
    #expect(Completion("zz", of: all).certain { _ in " " } == "")
    #expect(Completion("", of: (0..<2000).map(String.init)).columns.hasSuffix("... and 1500 more\r\n"))
  }
}
