// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CharacterDevice
import EventLoop

/// Opens the host's ends of serial lines and consoles, one for each text, so that two devices may share one.
final class CharacterPorts {
  private let loop: EventLoop
  private unowned let control: any SystemControl
  private var open: [any CharacterPort] = []
  /// What people must know to use them: the names of pseudo-terminals.
  private(set) var notices: [String] = []

  init(loop: EventLoop, control: any SystemControl) {
    self.loop = loop
    self.control = control
  }

  /// Opens the port that `text` names; nil for "none".
  func open(_ text: String, label: String) throws(CharacterPortError) -> (any CharacterPort)? {
    let specification = try CharacterPortSpecification.parse(text)
    let port = try specification.open(loop: loop) { [unowned control] escape in
      if case .quit = escape { control.requestShutdown(.host) }
    }
    guard let port else { return nil }
    open.append(port)
    if text == "pty", let path = (port as? DescriptorPort)?.peerPath {
      notices.append("\(label) is on \(path)")
    }
    return port
  }

  func close() { for port in open { port.close() } }
}
