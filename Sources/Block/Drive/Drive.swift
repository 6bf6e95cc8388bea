// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// What happens when the host cannot do what the guest asked (`werror=`, `rerror=`).
public enum ErrorPolicy: String, Sendable, Codable {
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
  /// Somebody outside asks for the tray to open although the guest locked it (the eject button).
  func driveEjectRequested(_ drive: Drive)
}

/// What a disk or CD device in the guest is plugged into: a medium that may be absent or change, the policy for
/// the host's errors, and a few facts about the drive itself.
///
/// Called with the machine's lock held.
public final class Drive {
  /// Whether the drive is a disk or a CD-ROM.
  public enum Kind: String, Sendable, Codable {
    case disk
    case cdrom
  }

  /// The name for messages and monitors: "ide0-hd0".
  public let name: String
  /// Disk or CD-ROM.
  public let kind: Kind
  /// The serial number the guest reads; at most 20 characters.
  public let serial: String
  /// The medium; a CD-ROM drive may have none.
  public private(set) var medium: (any BlockDevice)?
  /// For failing writes, flushes and discards.
  public let writeErrorPolicy: ErrorPolicy
  /// For failing reads.
  public let readErrorPolicy: ErrorPolicy
  /// Who is told of changes of the medium.
  public weak var observer: (any DriveMediumObserver)?
  /// Called with a sentence when policy says the machine must stop.
  public var onStop: ((String) -> Void)?
  /// Whether a device in the guest prevents the removal of the medium.
  public var isLocked = false
  /// Whether the tray is open.
  public var isTrayOpen = false

  /// A drive.
  public init(
    name: String, kind: Kind, serial: String, medium: (any BlockDevice)?,
    writeErrorPolicy: ErrorPolicy = .enospc,
    readErrorPolicy: ErrorPolicy = .report
  ) {
    self.name = name
    self.kind = kind
    self.serial = serial
    self.medium = medium
    self.writeErrorPolicy = writeErrorPolicy
    self.readErrorPolicy = readErrorPolicy
  }

  /// Exchanges the medium and tells the device.
  public func change(medium: (any BlockDevice)?) {
    self.medium = medium
    observer?.driveMediumChanged(self)
  }

  /// Starts a request on the medium; it fails with `ENOMEDIUM` if there is none. Requests that policy says to
  /// stop for stay in flight, and are tried again by ``retryStopped()``.
  public func submit(_ request: BlockRequest) {
    guard let medium else {
      request.result = .failed(code: ENOMEDIUM)
      request.owner.blockRequestCompleted(request)
      return
    }
    medium.submit(request)
  }

  /// Takes a request back, including one held by policy. It completes in any case.
  public func cancel(_ request: BlockRequest) { medium?.cancel(request) }

  /// Tries again what was held when the machine stopped.
  public func retryStopped() {}
}
