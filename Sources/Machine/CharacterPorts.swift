// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CharacterDevice
import EventLoop

/// The host's ends of serial lines, consoles and monitors, by name.
///
/// An end is used by one front end, except a shared one (`mux=on`, `mon:stdio`).
final class CharacterPorts {
  /// One of them.
  private struct Entry {
    let label: String
    var text: String
    var port: any CharacterPort
    /// The port without its log.
    var bare: any CharacterPort { (port as? LoggedPort)?.port ?? port }
    let shared: MultiplexedPort?
    var isUsed = false
    /// Made for the one who uses it, by no name of its own.
    var isInline = false
    /// What its device has, if that is one of the guest's.
    var front: ReplaceablePort?
  }

  private let loop: EventLoop
  private unowned let control: any SystemControl
  private var entries: [Entry] = []
  /// What people must know to use them: the names of pseudo-terminals, the ports that servers got.
  private(set) var notices: [String] = []

  init(
    _ configurations: [CharacterDeviceConfiguration], loop: EventLoop, control: any SystemControl
  ) throws(CharacterPortError) {
    self.loop = loop
    self.control = control
    do throws(CharacterPortError) {
      for configuration in configurations {
        _ = try make(
          configuration.specification, label: configuration.id, isShared: configuration.isShared)
      }
    } catch {
      close()
      throw error
    }
  }

  /// The port that `text` names, opened if it is not `chardev:ID`; nil for "none".
  /// - Parameter isReplaceable: whether another may take its place later; not under a monitor, which would saw off the
  ///   branch it sits on.
  func open(_ text: String, label: String, isReplaceable: Bool = true) throws(CharacterPortError)
    -> (any CharacterPort)?
  {
    if text.hasPrefix("chardev:") {
      let id = text.dropFirst("chardev:".count)
      guard let index = entries.firstIndex(where: { $0.label == id }) else {
        throw .wrong("there is no character device '\(id)'")
      }
      return try use(index, by: label, isReplaceable)
    }
    // A terminal that the monitor shares is one for all who name it.
    if text.hasPrefix("mon:"), let index = entries.firstIndex(where: { $0.text == text }) {
      return try use(index, by: label, isReplaceable)
    }
    let isShared = text.hasPrefix("mon:")
    let specification = try CharacterPortSpecification.parse(text)
    guard let index = try make(specification, label: label, isShared: isShared) else { return nil }
    if isShared { entries[index].text = text }
    entries[index].isInline = !isShared
    return try use(index, by: label, isReplaceable)
  }

  private func use(_ index: Int, by label: String, _ isReplaceable: Bool) throws(CharacterPortError)
    -> any CharacterPort
  {
    if let shared = entries[index].shared { return shared.makeFrontEnd() }
    guard !entries[index].isUsed else {
      throw .wrong(
        "the character device '\(entries[index].label)' is in use, so \(label) cannot have it; 'mux=on' shares one"
      )
    }
    entries[index].isUsed = true
    guard isReplaceable else { return entries[index].port }
    let front = ReplaceablePort(entries[index].port)
    entries[index].front = front
    return front
  }

  /// Who used the port that `text` names is gone; others may have it.
  func giveBack(_ text: String) {
    guard text.hasPrefix("chardev:") else { return }
    let id = text.dropFirst("chardev:".count)
    if let index = entries.firstIndex(where: { $0.label == id }) { entries[index].isUsed = false }
  }

  /// Who used a port that ``open(_:label:isReplaceable:)`` gave is gone: it is closed if it has no name, else others may
  /// have it.
  func giveBack(_ port: any CharacterPort) {
    guard let index = entries.firstIndex(where: { $0.front === port || $0.port === port }) else { return }
    if entries[index].isInline {
      entries.remove(at: index).port.close()
    } else {
      (entries[index].isUsed, entries[index].front) = (false, nil)
    }
  }

  private func make(_ specification: CharacterPortSpecification, label: String, isShared: Bool)
    throws(CharacterPortError) -> Int?
  {
    guard let port = try specification.open(loop: loop) else { return nil }
    var shared: MultiplexedPort?
    if isShared {
      shared = MultiplexedPort(port) { [unowned control] in control.requestShutdown(.host) }
    }
    let entry = Entry(label: label, text: specification.label, port: port, shared: shared)
    entries.append(entry)
    if let path = (entry.bare as? DescriptorPort)?.peerPath { notices.append("\(label) is on \(path)") }
    if let socket = entry.bare as? SocketPort, socket.settings.isServer {
      if case .tcp = socket.settings.address { notices.append("\(label) is on \(socket.settings.label)") }
    }
    return entries.count - 1
  }

  /// They have been said.
  func forgetNotices() { notices = [] }

  func close() { for entry in entries { entry.port.close() } }
}

// MARK: - What monitors ask

extension CharacterPorts {
  /// What is to be known of one.
  struct Facts {
    let label: String
    let name: String
    let isOpen: Bool
  }

  var facts: [Facts] {
    entries.map { entry in
      var name = entry.text
      if let socket = entry.bare as? SocketPort {
        name = (socket.isConnected ? "" : "disconnected:") + socket.settings.label
      } else if let path = (entry.bare as? DescriptorPort)?.peerPath {
        name = "pty:\(path)"
      }
      return Facts(label: entry.label, name: name, isOpen: entry.isUsed || entry.shared != nil)
    }
  }

  /// Opens one more.
  func add(_ configuration: CharacterDeviceConfiguration) throws(CharacterPortError) -> Facts {
    guard !entries.contains(where: { $0.label == configuration.id }) else {
      throw .wrong("Chardev with id '\(configuration.id)' already exists")
    }
    _ = try make(configuration.specification, label: configuration.id, isShared: configuration.isShared)
    guard let added = facts.last else { throw .wrong("'none' is no character device") }
    return added
  }

  /// Has another back end take the place of one; its device goes on with the new one.
  func change(_ configuration: CharacterDeviceConfiguration) throws(CharacterPortError) -> Facts {
    let label = configuration.id
    guard let index = entries.firstIndex(where: { $0.label == label }) else {
      throw .wrong("Chardev '\(label)' does not exist")
    }
    guard entries[index].shared == nil else { throw .wrong("Mux device hotswap not supported yet") }
    guard !entries[index].isUsed || entries[index].front != nil else {
      throw .wrong("Chardev user does not support chardev hotswap")
    }
    guard let port = try configuration.specification.open(loop: loop) else {
      throw .wrong("'none' is no character device")
    }
    if let front = entries[index].front { front.replace(with: port) } else { entries[index].port.close() }
    entries[index].port = port
    entries[index].text = configuration.specification.label
    return facts[index]
  }

  /// Closes one that nobody uses.
  func remove(_ label: String) throws(CharacterPortError) {
    guard let index = entries.firstIndex(where: { $0.label == label }) else {
      throw .wrong("Chardev '\(label)' not found")
    }
    guard !entries[index].isUsed, entries[index].shared == nil else {
      throw .wrong("Chardev '\(label)' is busy")
    }
    entries.remove(at: index).port.close()
  }

  /// Sends the front end of one a break, as from the other side.
  func sendBreak(to label: String) throws(CharacterPortError) {
    guard let entry = entries.first(where: { $0.label == label }) else {
      throw .wrong("Chardev '\(label)' not found")
    }
    entry.port.receiver?.receiveBreak()
  }

  /// The memory that a front end writes to, to be looked at; nil if there is none of that name.
  func ringBuffer(_ label: String) -> RingBufferPort? {
    entries.first { $0.label == label }?.bare as? RingBufferPort
  }
}
