// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import EventLoop
import Glibc

/// A port on descriptors of the host: a terminal, a file, pipes, a pseudo-terminal.
///
/// The machine never waits for the other side. What the descriptor does not take at once is kept, up to 64 KiB,
/// and written when it can be; when that is full ``write(_:)`` takes less, and the device holds its bytes back.
/// What comes in is read only as fast as the device takes it. When the other side is gone, output is taken and
/// lost, as on a cable that was pulled.
public final class DescriptorPort: CharacterPort {
  public weak var receiver: (any CharacterReceiver)? {
    didSet {
      guard receiver != nil else { return }
      isOpeningTold = false
      pollInputSoon()
    }
  }
  /// What the user may be told: the path of the pseudo-terminal.
  public let peerPath: String?
  /// Called once, with the machine's lock held, when the input has ended.
  public var onInputEnd: (() -> Void)?
  /// Called with the machine's lock held when something came, or the other side went, that the device does not take now.
  var onInputLeft: (() -> Void)?

  private let channel: DescriptorChannel
  private let loop: EventLoop
  private let pending = OutputBuffer(capacity: 64 << 10)
  private let incoming = OutputBuffer(capacity: 4 << 10)
  private var inputWatch: EventLoop.Watch?
  private var outputWatch: EventLoop.Watch?
  private var wasRefused = false
  private var outputIsGone = false
  private var inputHasEnded = false
  private var isPollPosted = false
  private var isOpeningTold = false
  private var isDelivering = false
  private var isClosed = false
  /// Whether descriptors may come with the bytes, and those that came last.
  private var keepsDescriptors = false
  private var received: [Int32] = []

  /// A port on `channel`, which it closes at the end.
  init(
    channel: DescriptorChannel, peerPath: String? = nil, loop: EventLoop
  ) throws(HostError) {
    self.channel = channel
    self.peerPath = peerPath
    self.loop = loop
    // A reader that goes away must not end the emulator.
    signal(SIGPIPE, SIG_IGN)
    outputIsGone = channel.output < 0
    inputHasEnded = channel.input < 0
    guard channel.input >= 0, channel.inputCanBeWaitedFor else { return }
    // Changes only: the end of a pipe whose rest the device has not taken yet, and the hang-up of a
    // pseudo-terminal, would otherwise be reported without end. So it is read until there is no more.
    var interest: EventLoop.Interest = [.readable, .edgeTriggered]
    if channel.isBidirectional { interest.insert(.writable) }
    do {
      inputWatch = try loop.watch(channel.input, for: interest) { [weak self] in self?.inputEvent($0) }
    } catch {
      channel.close()
      throw error
    }
  }

  // MARK: Output

  public func write(_ bytes: UnsafeRawBufferPointer) -> Int {
    guard !outputIsGone, !isClosed, channel.isConnected else {
      pending.removeAll()
      return bytes.count
    }
    var done = 0
    if pending.isEmpty { done = writeNow(bytes) }
    if outputIsGone { return bytes.count }
    if done < bytes.count { done += pending.append(UnsafeRawBufferPointer(rebasing: bytes[done...])) }
    if !pending.isEmpty { waitForRoom() }
    if done < bytes.count { wasRefused = true }
    return done
  }

  /// Writes as much as the descriptor takes at once.
  private func writeNow(_ bytes: UnsafeRawBufferPointer) -> Int {
    var done = 0
    while done < bytes.count, let base = bytes.baseAddress {
      let count = Glibc.write(channel.output, base + done, bytes.count - done)
      if count > 0 {
        done += count
      } else if count < 0 && errno == EINTR {
        continue
      } else if count < 0 && errno == EAGAIN {
        break
      } else {
        // A full disk loses this output; a reader that went away, all that follows.
        if count < 0 && errno != ENOSPC && !channel.canReconnect { outputIsGone = true }
        return bytes.count
      }
    }
    return done
  }

  private func waitForRoom() {
    // One descriptor for both directions is always watched.
    if channel.isBidirectional && inputWatch != nil { return }
    if let outputWatch {
      outputWatch.interest = .writable
    } else {
      outputWatch = try? loop.watch(channel.output, for: .writable) { [weak self] found in
        self?.outputEvent(found)
      }
      // What cannot be waited for cannot be trusted to take anything later either.
      if outputWatch == nil { pending.removeAll() }
    }
  }

  private func outputEvent(_ found: EventLoop.Interest) {
    if found.contains(.closed) && !found.contains(.writable) && !channel.canReconnect { outputIsGone = true }
    if outputIsGone || !channel.isConnected {
      pending.removeAll()
    } else {
      while !pending.isEmpty, pending.offer(writeNow) > 0 {}
      if outputIsGone { pending.removeAll() }
    }
    if pending.isEmpty {
      outputWatch?.interest = []
      if outputIsGone {
        outputWatch?.cancel()
        outputWatch = nil
      }
    }
    if wasRefused && !pending.isFull {
      wasRefused = false
      receiver?.characterPortBecameWritable()
    }
  }

  // MARK: Input

  private func inputEvent(_ found: EventLoop.Interest) {
    if channel.isBidirectional && !found.isDisjoint(with: [.writable, .closed]) { outputEvent(found) }
    pollInput()
    if !incoming.isEmpty && !isClosed { onInputLeft?() }
  }

  /// Whether the other side of a socket will send no more, though not all that it sent may have been read.
  var peerHasGone: Bool {
    // poll(2): "stream socket peer closed connection, or shut down writing half"; glibc shows it to _GNU_SOURCE only.
    let hungUp: Int16 = 0x2000
    var descriptor = pollfd(fd: channel.input, events: hungUp, revents: 0)
    return poll(&descriptor, 1, 0) > 0
  }

  /// The device took less than was offered before, and has room again.
  public func receiverBecameReady() { if !isDelivering { pollInputSoon() } }

  /// Looks for input from the loop: not within a register access of the device.
  private func pollInputSoon() {
    guard !isPollPosted, !isClosed, !inputHasEnded || !incoming.isEmpty || !isOpeningTold else { return }
    isPollPosted = true
    let reference = PortReference(port: self)
    loop.post { reference.port?.postedPoll() }
  }

  /// Carries a port to the loop, which runs posted work with the machine's lock held.
  private final class PortReference: @unchecked Sendable {
    // Unchecked: the port is used with the machine's lock held, here as everywhere.
    weak var port: DescriptorPort?
    init(port: DescriptorPort) { self.port = port }
  }

  private func postedPoll() {
    isPollPosted = false
    if !isOpeningTold, !isClosed {
      isOpeningTold = true
      receiver?.characterPortOpened()
    }
    pollInput()
  }

  /// Delivers what came in, as far as the device takes it, then reads on.
  private func pollInput() {
    guard !isDelivering, !isClosed else { return }
    isDelivering = true
    defer { isDelivering = false }
    var rounds = 0
    repeat {
      deliver()
      rounds += 1
    } while incoming.isEmpty && !inputHasEnded && !isClosed && rounds < 16 && readMore()
    if isClosed { return }
    if rounds == 16 && incoming.isEmpty && !inputHasEnded { pollInputSoon() }
  }

  private func deliver() {
    // Without a device, what comes in is lost, as on a line to a port that is switched off.
    guard let receiver else {
      incoming.removeAll()
      return
    }
    while !incoming.isEmpty, incoming.offer(receiver.receive) > 0 {}
  }

  /// Reads once into the empty buffer; returns false if there is nothing now.
  private func readMore() -> Bool {
    let count = withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 16) { buffer in
      let count =
        keepsDescriptors ? receive(into: buffer) : read(channel.input, buffer.baseAddress, buffer.count)
      if count > 0 { _ = incoming.append(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
      return count
    }
    if count > 0 { return true }
    if count < 0 && errno == EINTR { return true }
    if count < 0 && errno == EAGAIN || channel.canReconnect { return false }
    inputHasEnded = true
    inputWatch?.cancel()
    inputWatch = nil
    onInputEnd?()
    return false
  }

  // MARK: Descriptors

  public func keepDescriptors() { keepsDescriptors = true }

  public func takeDescriptors() -> [Int32] {
    defer { received = [] }
    return received
  }

  /// Reads from a socket. Descriptors that nobody took before others came are closed.
  private func receive(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    var descriptors = [Int32](repeating: -1, count: 16)
    var count: Int32 = 0
    let result = martlet_receive(channel.input, buffer.baseAddress, buffer.count, &descriptors, &count)
    if result < 0 && errno == ENOTSOCK {
      keepsDescriptors = false
      return read(channel.input, buffer.baseAddress, buffer.count)
    }
    if count > 0 {
      closeReceived()
      received = Array(descriptors.prefix(Int(count)))
    }
    return result
  }

  private func closeReceived() { for descriptor in takeDescriptors() { Glibc.close(descriptor) } }

  // MARK: The end

  /// Writes out what can be written at once and closes the descriptors.
  public func close() {
    guard !isClosed else { return }
    if !outputIsGone { _ = pending.offer(writeNow) }
    isClosed = true
    closeReceived()
    inputWatch?.cancel()
    outputWatch?.cancel()
    (inputWatch, outputWatch) = (nil, nil)
    channel.close()
  }
}
