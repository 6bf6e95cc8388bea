// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// What happens when the host cannot do what the guest asked (`werror=`, `rerror=`).
public enum ErrorPolicy: String, Sendable, Codable, CaseIterable {
  /// The guest sees a device error.
  case report
  /// The guest sees success.
  case ignore
  /// The machine stops; the request is tried again when it goes on.
  case stop
  /// `stop` when the host's disk is full, else `report`.
  case enospc
}

/// Who must know when a drive's medium changes: the device with the tray.
public protocol DriveMediumObserver: AnyObject {
  /// A medium was inserted, removed or exchanged from outside.
  func driveMediumChanged(_ drive: Drive)
  /// The tray was opened or closed from outside.
  func driveTrayMoved(_ drive: Drive)
  /// The medium has another size.
  func driveResized(_ drive: Drive)
  /// Somebody outside asks for the tray to open although the guest locked it (the eject button).
  func driveEjectRequested(_ drive: Drive)
}

extension DriveMediumObserver {
  public func driveResized(_ drive: Drive) {}
}

/// What a disk or CD device in the guest is plugged into: a medium that may be absent or change, the policy for
/// the host's errors, and a few facts about the drive itself.
///
/// Called with the machine's lock held.
public final class Drive: BlockRequestOwner {
  /// Whether the drive is a disk or a CD-ROM.
  public enum Kind: String, Sendable, Codable, CaseIterable {
    case disk
    case cdrom
  }

  /// The name for messages and monitors: "ide0-hd0".
  public let name: String
  /// What its device is called, if somebody gave it a name.
  public let deviceID: String?
  /// What its image is called, if somebody gave it a name of its own.
  public private(set) var nodeName: String?
  /// Whether the drive itself has no name: its device or its image has.
  public let isAnonymous: Bool
  /// Disk or CD-ROM.
  public let kind: Kind
  /// The serial number the guest reads; at most 20 characters.
  public let serial: String
  /// The version of its firmware as the guest reads it; at most 8 characters.
  public let firmwareVersion: String
  /// The medium; a CD-ROM drive may have none.
  public private(set) var medium: (any BlockDevice)?
  /// For failing writes, flushes and discards.
  public let writeErrorPolicy: ErrorPolicy
  /// For failing reads.
  public let readErrorPolicy: ErrorPolicy
  /// How its images are opened, for monitors.
  public let cache: CacheMode
  /// Who is told of changes of the medium.
  public weak var observer: (any DriveMediumObserver)?
  /// Called with a sentence when policy says the machine must stop.
  public var onStop: ((String) -> Void)?
  /// Whether a device in the guest prevents the removal of the medium.
  public var isLocked = false
  /// Whether the tray is open.
  public private(set) var isTrayOpen = false
  /// Called when the tray has moved.
  public var onTrayMoved: (() -> Void)?
  /// Called when the host could not do a request: with the request, what policy made of it, and `errno`.
  public var onError: ((BlockRequest, ErrorPolicy, Int32) -> Void)?
  /// What was done so far.
  public private(set) var statistics = DriveStatistics()
  /// Requests that wait for the machine to go on.
  private var held: [BlockRequest] = []
  /// Whether requests wait for the machine to go on after an error of the host.
  public var isStopped: Bool { !held.isEmpty }

  /// A drive.
  public init(
    name: String, isAnonymous: Bool = false, deviceID: String? = nil, nodeName: String? = nil, kind: Kind,
    serial: String,
    firmwareVersion: String = "1.0", medium: (any BlockDevice)?,
    writeErrorPolicy: ErrorPolicy = .enospc,
    readErrorPolicy: ErrorPolicy = .report, cache: CacheMode = .writeback
  ) {
    self.name = name
    self.deviceID = deviceID
    self.nodeName = nodeName
    self.isAnonymous = isAnonymous
    self.kind = kind
    self.serial = serial
    self.firmwareVersion = firmwareVersion
    self.medium = medium
    self.writeErrorPolicy = writeErrorPolicy
    self.readErrorPolicy = readErrorPolicy
    self.cache = cache
  }

  /// Exchanges the medium, after the requests in flight on the old one have ended, and tells the device.
  /// Requests held by policy fail with `ENOMEDIUM`.
  /// - Parameter newName: what the new medium is called, if somebody gave it a name of its own.
  /// - Returns: the old medium, which is the caller's to close.
  @discardableResult
  public func change(medium new: (any BlockDevice)?, nodeName newName: String? = nil) -> (any BlockDevice)? {
    let old = medium
    old?.drain()
    medium = new
    nodeName = newName
    let abandoned = held
    held = []
    for request in abandoned { deliver(request, .failed(code: ENOMEDIUM)) }
    observer?.driveMediumChanged(self)
    return old
  }

  /// Changes the size of the medium, and tells the device.
  public func resize(to byteCount: UInt64) throws(BlockError) {
    try medium?.resize(to: byteCount)
    observer?.driveResized(self)
  }

  /// Opens or closes the tray.
  public func moveTray(isOpen: Bool) {
    guard isOpen != isTrayOpen else { return }
    isTrayOpen = isOpen
    onTrayMoved?()
  }

  /// Opens or closes the tray from outside, and tells the device.
  public func moveTrayFromOutside(isOpen: Bool) {
    guard isOpen != isTrayOpen else { return }
    moveTray(isOpen: isOpen)
    observer?.driveTrayMoved(self)
  }

  // MARK: Requests

  /// Starts a request on the medium; it fails with `ENOMEDIUM` if there is none. Requests that policy says to
  /// stop for stay in flight, and are tried again by ``retryStopped()``.
  public func submit(_ request: BlockRequest) {
    request.isInFlight = true
    guard let medium else {
      deliver(request, .failed(code: ENOMEDIUM))
      return
    }
    request.interceptor = self
    medium.submit(request)
  }

  /// Takes a request back, including one held by policy. It completes in any case, possibly within the call.
  public func cancel(_ request: BlockRequest) {
    if let index = held.firstIndex(where: { $0 === request }) {
      held.remove(at: index)
      deliver(request, .cancelled)
    } else {
      medium?.cancel(request)
    }
  }

  /// Tries again what was held when the machine stopped.
  public func retryStopped() {
    let requests = held
    held = []
    for request in requests { submit(request) }
  }

  private func deliver(_ request: BlockRequest, _ result: BlockResult) {
    request.interceptor = nil
    request.complete(result)
  }

  /// A request came back from the medium.
  public func blockRequestCompleted(_ request: BlockRequest) {
    let result = request.result
    guard case .failed(let code) = result else {
      if result == .success {
        statistics.count(request.operation, byteCount: request.transferByteCount, succeeded: true)
      }
      deliver(request, result)
      return
    }
    statistics.count(request.operation, byteCount: request.transferByteCount, succeeded: false)
    guard isHostsFault(request) else {
      deliver(request, result)
      return
    }
    let isFull = code == ENOSPC || code == EDQUOT
    var policy = request.operation == .read ? readErrorPolicy : writeErrorPolicy
    if policy == .enospc { policy = isFull ? .stop : .report }
    onError?(request, policy, code)
    switch policy {
    case .ignore: deliver(request, .success)
    case .stop: hold(request, code: code)
    case .report, .enospc: deliver(request, result)
    }
  }

  /// Whether the policy for errors applies: not to what no host could do.
  private func isHostsFault(_ request: BlockRequest) -> Bool {
    guard let medium else { return false }
    if medium.isReadOnly && request.operation != .read { return false }
    let count = request.transferByteCount
    return request.operation == .flush
      || request.offset <= medium.byteCount && count <= medium.byteCount - request.offset
  }

  private func hold(_ request: BlockRequest, code: Int32) {
    let isFirst = held.isEmpty
    request.isInFlight = true
    held.append(request)
    guard isFirst else { return }
    let reason = String(cString: strerror(code))
    let advice = code == ENOSPC || code == EDQUOT ? "free space on the host" : "see to it"
    onStop?(
      "drive '\(name)': \(request.operation.gerund) '\(medium?.label ?? "")' failed: \(reason); \(advice), "
        + "then let the machine continue")
  }
}

extension BlockOperation {
  /// For messages: "writing to".
  fileprivate var gerund: String {
    switch self {
    case .read: "reading from"
    case .write: "writing to"
    case .flush: "flushing"
    case .discard: "discarding on"
    case .writeZeroes: "zeroing on"
    }
  }
}
