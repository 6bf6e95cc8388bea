// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// The kind of a transaction (USB 2.0 section 8.3.1).
public enum USBToken: UInt8, Sendable {
  case setup
  case `in`
  case out
}

/// What a device does with a transfer.
public enum USBResult: UInt8, Sendable {
  /// Done: ``USBTransfer/doneCount`` bytes were moved. Fewer than were asked for is a short packet.
  case success
  /// Nothing for now, and nothing was moved. The device calls ``USBDevice/endpointReady(_:)`` when trying again is
  /// worth it, so a controller need not poll.
  case nak
  /// Taken: the device ends it later by ``USBTransfer/complete(_:)``.
  case pending
  /// The endpoint is halted, or the control request refused.
  case stall
  /// The device sent more than was asked for.
  case babble
  /// No answer: there is no such device or endpoint any more.
  case error
}

/// Who is told that a pending transfer has ended: a host controller. Called with the machine's lock held, never from
/// within the call that submitted the transfer.
public protocol USBTransferOwner: AnyObject {
  /// `transfer` ended; its ``USBTransfer/result`` says how.
  func transferCompleted(_ transfer: USBTransfer)
}

/// What a host controller asks of an endpoint: one packet, or many of one direction, with the guest memory that the
/// data comes from or goes to. Made once by a controller and used again and again, so that transfers allocate nothing.
///
/// **A pending transfer has had no effect that the guest could see.** A controller may take it back at any time
/// (`cancel()`) and submit the same again later, without losing data: this is how states are saved, and how schedules
/// change under way. So devices consume what they send when the transfer ends, not before.
public final class USBTransfer {
  /// Bytes of guest memory in a row.
  struct Segment {
    /// nil: the immediate data.
    var address: GuestAddress?
    var count: Int
  }

  private let memory: GuestMemory
  private let segments: UnsafeMutablePointer<Segment>
  private let segmentCapacity: Int
  private var segmentCount = 0
  private var immediate: UInt64 = 0

  /// Who is told of its end.
  public private(set) weak var owner: (any USBTransferOwner)?
  public private(set) var token = USBToken.in
  /// The endpoint's number, 0 … 15, without direction.
  public private(set) var endpoint: UInt8 = 0
  /// The endpoint's address, with direction.
  public var address: USBEndpointAddress { token == .in ? .in(endpoint) : .out(endpoint) }
  /// The number of bytes asked for, or offered.
  public private(set) var byteCount = 0
  /// The number of bytes moved.
  public private(set) var doneCount = 0
  /// What controllers count: of data to the device all that was offered, whether or not it looked at it.
  public var movedByteCount: Int { token == .in ? doneCount : byteCount }
  /// The guest's memory could not be read or written: the controller's driver gave an address where no RAM is. The
  /// controller reports it as its data sheet says.
  public private(set) var hasMemoryFault = false
  /// How it ended; `pending` while it is with a device.
  public private(set) var result = USBResult.success
  /// The device that has it.
  public private(set) weak var device: USBDevice?
  /// A number for the owner's use.
  public var tag = 0

  /// An idle transfer.
  /// - Parameters:
  ///   - memory: where its data is.
  ///   - owner: who is told of its end.
  ///   - segmentCapacity: the number of pieces of memory it has room for; more are refused.
  public init(memory: GuestMemory, owner: any USBTransferOwner, segmentCapacity: Int) {
    self.memory = memory
    self.owner = owner
    self.segmentCapacity = max(1, segmentCapacity)
    segments = .allocate(capacity: self.segmentCapacity)
    segments.initialize(repeating: Segment(address: nil, count: 0), count: self.segmentCapacity)
  }

  deinit { segments.deallocate() }

  // MARK: The controller's side

  /// Forgets the last use. Not while it is pending: cancel it first.
  public func begin(_ token: USBToken, endpoint: UInt8) {
    self.token = token
    self.endpoint = endpoint & 15
    (segmentCount, byteCount, doneCount) = (0, 0, 0)
    hasMemoryFault = false
    result = .success
  }

  /// Appends bytes of guest memory.
  /// - Returns: false if there is no room for them.
  public func append(_ address: GuestAddress, count: Int) -> Bool {
    guard count > 0 else { return true }
    if segmentCount > 0, let last = segments[segmentCount - 1].address,
      last + segments[segmentCount - 1].count == address
    {
      segments[segmentCount - 1].count += count
      byteCount += count
      return true
    }
    guard segmentCount < segmentCapacity else { return false }
    segments[segmentCount] = Segment(address: address, count: count)
    segmentCount += 1
    byteCount += count
    return true
  }

  /// Appends up to 8 bytes that are not in the guest's memory, the lowest first: xHCI's immediate data, a SETUP packet.
  /// - Returns: false if there is no room for them.
  public func append(immediate value: UInt64, count: Int) -> Bool {
    guard count > 0 else { return true }
    guard segmentCount < segmentCapacity else { return false }
    immediate = value
    segments[segmentCount] = Segment(address: nil, count: min(count, 8))
    segmentCount += 1
    byteCount += min(count, 8)
    return true
  }

  /// Hands it to a device.
  /// - Returns: how it ended, or `pending`.
  public func submit(to device: USBDevice) -> USBResult {
    self.device = device
    result = .pending
    let answer = device.submit(self)
    if answer == .pending {
      device.pendingTransfers.append(self)
    } else {
      result = answer
      self.device = nil
    }
    return answer
  }

  /// Takes it back from its device. Its owner is not told.
  public func cancel() {
    guard result == .pending, let device else { return }
    device.pendingTransfers.removeAll { $0 === self }
    self.device = nil
    result = .error
    device.cancel(self)
  }

  /// Whether a device has it.
  public var isPending: Bool { result == .pending }

  // MARK: The device's side

  /// Moves bytes to the guest (IN), after those already moved.
  /// - Returns: the number that fitted.
  @discardableResult
  public func write(_ source: UnsafeRawBufferPointer) -> Int {
    move(atMost: source.count) { [memory] address, position, count in
      guard let address else { return true }
      return memory.write(
        address, from: UnsafeRawBufferPointer(rebasing: source[position..<(position + count)]))
    }
  }

  /// Takes bytes from the guest (OUT, SETUP), after those already taken.
  /// - Returns: the number that there were.
  @discardableResult
  public func read(into destination: UnsafeMutableRawBufferPointer) -> Int {
    move(atMost: destination.count) { [memory, immediate] address, position, count in
      let piece = UnsafeMutableRawBufferPointer(rebasing: destination[position..<(position + count)])
      guard let address else {
        for index in 0..<count { piece[index] = UInt8(truncatingIfNeeded: immediate >> UInt64(index * 8)) }
        return true
      }
      return memory.read(address, into: piece)
    }
  }

  /// Takes bytes from the guest without looking at them.
  public func skip(_ count: Int) { doneCount = min(byteCount, doneCount + max(0, count)) }

  /// Ends a pending transfer. Its owner is told, so not from within `submit`.
  public func complete(_ result: USBResult) {
    guard self.result == .pending, result != .pending else { return }
    device?.pendingTransfers.removeAll { $0 === self }
    if result == .stall { device?.halt(self) }
    device = nil
    self.result = result
    owner?.transferCompleted(self)
  }

  private func move(atMost limit: Int, _ body: (GuestAddress?, Int, Int) -> Bool) -> Int {
    var skipped = doneCount
    var moved = 0
    var index = 0
    while index < segmentCount && moved < limit {
      let segment = segments[index]
      index += 1
      if skipped >= segment.count {
        skipped -= segment.count
        continue
      }
      let count = min(segment.count - skipped, limit - moved)
      if !body(segment.address.map { $0 + skipped }, moved, count) { hasMemoryFault = true }
      moved += count
      skipped = 0
    }
    doneCount += moved
    return moved
  }
}
