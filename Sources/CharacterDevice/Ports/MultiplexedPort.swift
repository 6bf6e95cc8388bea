// SPDX-License-Identifier: GPL-2.0-or-later

/// One port for several front ends (`mux=on`, `mon:stdio`): all of them write to it, and what comes in is for the one that
/// has the keyboard, which Ctrl-A c hands on. Other Ctrl-A sequences are for the emulator, too.
public final class MultiplexedPort {
  private let port: any CharacterPort
  private let quit: () -> Void
  private var filter = EscapeFilter()
  private var frontEnds: [FrontEnd] = []
  private var focus = 0

  /// Shares `port`.
  /// - Parameter quit: called for Ctrl-A x.
  public init(_ port: any CharacterPort, quit: @escaping () -> Void) {
    self.port = port
    self.quit = quit
    port.receiver = self
  }

  /// A place for one more front end. The first has the keyboard.
  public func makeFrontEnd() -> any CharacterPort {
    let frontEnd = FrontEnd(self)
    frontEnds.append(frontEnd)
    return frontEnd
  }

  /// Gives the keyboard to the next front end, which is told that somebody has come to it.
  private func switchFocus() {
    guard frontEnds.count > 1 else { return }
    focus = (focus + 1) % frontEnds.count
    current?.characterPortOpened()
  }

  private var current: (any CharacterReceiver)? {
    frontEnds.indices.contains(focus) ? frontEnds[focus].receiver : nil
  }

  private final class FrontEnd: CharacterPort {
    private let owner: MultiplexedPort
    weak var receiver: (any CharacterReceiver)?

    init(_ owner: MultiplexedPort) { self.owner = owner }

    func write(_ bytes: UnsafeRawBufferPointer) -> Int { owner.port.write(bytes) }
    func receiverBecameReady() { owner.port.receiverBecameReady() }
    func close() { owner.port.close() }
  }
}

extension MultiplexedPort: CharacterReceiver {
  public func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
    for (index, byte) in bytes.enumerated() {
      let before = filter
      switch filter.take(byte) {
      case .swallow: break
      case .escape(let escape): act(on: escape)
      case .pass(let byte):
        let taken = withUnsafeBytes(of: byte) { current?.receive($0) ?? 1 }
        guard taken > 0 else {
          // It comes again.
          filter = before
          return index
        }
      }
    }
    return bytes.count
  }

  private func act(on escape: ConsoleEscape) {
    switch escape {
    case .quit: quit()
    case .switchConsole: switchFocus()
    case .sendBreak: current?.receiveBreak()
    case .help: _ = Array(ConsoleEscape.helpText.utf8).withUnsafeBytes { port.write($0) }
    }
  }

  public func characterPortBecameWritable() {
    for frontEnd in frontEnds { frontEnd.receiver?.characterPortBecameWritable() }
  }
  public func receiveBreak() { current?.receiveBreak() }
  /// Whoever has the keyboard greets; the others do when they get it.
  public func characterPortOpened() { current?.characterPortOpened() }
  public func characterPortClosed() { for frontEnd in frontEnds { frontEnd.receiver?.characterPortClosed() } }
}
