// SPDX-License-Identifier: GPL-2.0-or-later

/// A line that a person types and changes: bytes from a terminal in, bytes for the terminal out.
///
/// The libraries for this (readline, libedit, linenoise, replxx) all want to own a terminal: a file descriptor or
/// `FILE` to read and write, its settings, often the process's signals, and there is one of them in a process. A
/// monitor has a stream of bytes that may be a socket, there may be several, and they share the event loop's thread;
/// so here is the little that is needed.
///
/// A line is assumed to fit the terminal's width, since nobody tells how wide a socket is.
struct LineEditor {
  /// Longer than any sensible command; more is not taken.
  static let capacity = 4095

  /// What came of a byte.
  enum Outcome: Equatable {
    case none
    /// The line is finished.
    case line(String)
    /// The person wants what is before the cursor to be completed.
    case complete(String)
  }

  private(set) var history = LineHistory()
  private var decoder = KeyDecoder()
  private var prompt: String
  private var line: [Unicode.Scalar] = []
  private var cursor = 0
  /// A password: nothing of it is shown or kept.
  private var isSecret = false
  private var output: [UInt8] = []

  init(prompt: String) { self.prompt = prompt }

  /// What the terminal is to be sent since the last call.
  mutating func takeOutput() -> [UInt8] {
    defer { output.removeAll(keepingCapacity: true) }
    return output
  }

  /// Begins a new line.
  mutating func begin(prompt: String, isSecret: Bool = false) {
    (self.prompt, self.isSecret) = (prompt, isSecret)
    line = []
    cursor = 0
    show(prompt)
  }

  /// Forgets everything: another person is there.
  mutating func reset() {
    history.removeAll()
    decoder = KeyDecoder()
    line = []
    cursor = 0
    output = []
  }

  /// Takes a byte that the terminal sent.
  mutating func take(_ byte: UInt8) -> Outcome {
    guard let key = decoder.take(byte) else { return .none }
    switch key {
    case .text(let scalar): insert([scalar])
    case .enter: return finish()
    case .tab:
      if !isSecret { return .complete(text(line[..<cursor])) }
    case .backspace: remove(cursor - 1..<cursor)
    case .delete: remove(cursor..<cursor + 1)
    case .left: move(to: cursor - 1)
    case .right: move(to: cursor + 1)
    case .wordLeft: move(to: wordStart)
    case .wordRight: move(to: wordEnd)
    case .home: move(to: 0)
    case .end: move(to: line.count)
    case .up: if !isSecret, let older = history.older(than: text(line[...])) { replace(with: older) }
    case .down: if !isSecret, let newer = history.newer() { replace(with: newer) }
    case .killToEnd: remove(cursor..<line.count)
    case .killToStart: remove(0..<cursor)
    case .killWord: remove(wordStart..<cursor)
    case .cancel:
      show("\r\n")
      // A password that is given up is no password.
      if isSecret { return finish(with: "") }
      begin(prompt: prompt)
    case .redraw:
      show("\u{1B}[H\u{1B}[2J")
      redraw()
    }
    return .none
  }

  /// Puts text at the cursor, as if it were typed.
  mutating func insert(_ text: String) { insert(Array(text.unicodeScalars)) }

  /// Shows lines of text below, and the line again below them.
  mutating func interrupt(with text: String) {
    show("\r\n" + text)
    redraw()
  }

  // MARK: The line

  private mutating func finish() -> Outcome {
    show("\r\n")
    return finish(with: text(line[...]))
  }

  private mutating func finish(with text: String) -> Outcome {
    if !isSecret { history.add(text) }
    line = []
    cursor = 0
    return .line(text)
  }

  private mutating func insert(_ scalars: [Unicode.Scalar]) {
    guard line.count + scalars.count <= Self.capacity else {
      show("\u{7}")
      return
    }
    line.insert(contentsOf: scalars, at: cursor)
    cursor += scalars.count
    if !isSecret { show(text(scalars[...])) }
    showTail()
  }

  private mutating func remove(_ range: Range<Int>) {
    let range = range.clamped(to: 0..<line.count)
    guard !range.isEmpty else { return }
    move(to: range.lowerBound)
    line.removeSubrange(range)
    showTail(isShorter: true)
  }

  private mutating func replace(with new: String) {
    move(to: 0)
    line = Array(new.unicodeScalars.prefix(Self.capacity))
    cursor = line.count
    show(text(line[...]) + "\u{1B}[K")
  }

  private mutating func move(to position: Int) {
    let position = min(max(position, 0), line.count)
    if !isSecret { showMove(position - cursor) }
    cursor = position
  }

  /// Where the word before the cursor begins.
  private var wordStart: Int {
    var position = cursor
    while position > 0, line[position - 1] == " " { position -= 1 }
    while position > 0, line[position - 1] != " " { position -= 1 }
    return position
  }

  /// Where the word at or behind the cursor ends.
  private var wordEnd: Int {
    var position = cursor
    while position < line.count, line[position] == " " { position += 1 }
    while position < line.count, line[position] != " " { position += 1 }
    return position
  }

  private func text(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
    var text = ""
    text.unicodeScalars.append(contentsOf: scalars)
    return text
  }

  // MARK: The terminal

  private mutating func show(_ text: String) { output.append(contentsOf: text.utf8) }

  /// Shows what is behind the cursor, which stays where it is.
  private mutating func showTail(isShorter: Bool = false) {
    guard !isSecret, isShorter || cursor < line.count else { return }
    show(text(line[cursor...]))
    if isShorter { show("\u{1B}[K") }
    showMove(cursor - line.count)
  }

  private mutating func showMove(_ columns: Int) {
    // Few columns are quicker said one by one; and terminals that know nothing else know a backspace.
    switch columns {
    case 0: break
    case ..<(-4): show("\u{1B}[\(-columns)D")
    case ..<0: show(String(repeating: "\u{8}", count: -columns))
    default: show("\u{1B}[\(columns)C")
    }
  }

  private mutating func redraw() {
    show(prompt)
    guard !isSecret else { return }
    show(text(line[...]))
    showMove(cursor - line.count)
  }
}
