// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc
import Testing

@testable import Block

@Suite struct DriveTests {
  private final class Owner: BlockRequestOwner, DriveMediumObserver {
    var results: [BlockResult] = []
    var mediumChanges = 0
    func blockRequestCompleted(_ request: BlockRequest) { results.append(request.result) }
    func driveMediumChanged(_ drive: Drive) { mediumChanges += 1 }
    func driveTrayMoved(_ drive: Drive) {}
    func driveEjectRequested(_ drive: Drive) {}
  }

  private let owner = Owner()
  private let device = ScriptedDevice()
  private let sector = UnsafeMutableRawBufferPointer.allocate(byteCount: 512, alignment: 512)

  private func drive(write: ErrorPolicy = .enospc, read: ErrorPolicy = .report) -> Drive {
    Drive(
      name: "ide0-hd0", kind: .disk, serial: "QM00001", medium: device, writeErrorPolicy: write,
      readErrorPolicy: read)
  }

  private func request(_ operation: BlockOperation, offset: UInt64 = 0) -> BlockRequest {
    let request = BlockRequest(owner: owner)
    request.operation = operation
    request.offset = offset
    request.byteCount = 512
    _ = request.append(sector)
    return request
  }

  @Test func countsWhatItDoes() {
    let drive = drive()
    for operation in [BlockOperation.read, .write, .flush, .discard, .writeZeroes] {
      drive.submit(request(operation))
      device.answer(.success)
    }
    drive.submit(request(.read))
    device.answer(.failed(code: EIO))
    #expect(owner.results == [.success, .success, .success, .success, .success, .failed(code: EIO)])
    #expect(drive.statistics.reads == .init(operations: 1, bytes: 512, failures: 1))
    #expect(drive.statistics.writes == .init(operations: 1, bytes: 512, failures: 0))
    #expect(drive.statistics.flushes == .init(operations: 1, bytes: 0, failures: 0))
    #expect(drive.statistics.discards.bytes == 512)
    #expect(drive.statistics.zeroings.bytes == 512)
  }

  @Test func stopsForAFullDiskAndGoesOn() {
    let drive = drive()
    var messages: [String] = []
    drive.onStop = { messages.append($0) }
    let first = request(.write)
    let second = request(.write, offset: 512)
    drive.submit(first)
    drive.submit(second)
    device.answer(.failed(code: ENOSPC))
    device.answer(.failed(code: ENOSPC))
    #expect(owner.results.isEmpty)
    #expect(first.isInFlight && second.isInFlight && drive.isStopped)
    #expect(messages.count == 1)
    #expect(messages[0].contains("ide0-hd0") && messages[0].contains("No space left"))
    // Still full.
    drive.retryStopped()
    device.answer(.failed(code: ENOSPC))
    device.answer(.success)
    #expect(owner.results == [.success])
    #expect(messages.count == 2)
    drive.retryStopped()
    device.answer(.success)
    #expect(owner.results == [.success, .success])
    #expect(!drive.isStopped && !first.isInFlight && !second.isInFlight)
    #expect(device.submissions == 5)
  }

  private static let decisions: [(ErrorPolicy, Int32, BlockResult?)] = [
    (.report, EIO, .failed(code: EIO)), (.report, ENOSPC, .failed(code: ENOSPC)), (.ignore, EIO, .success),
    (.stop, EIO, nil), (.stop, ENOSPC, nil), (.enospc, EIO, .failed(code: EIO)), (.enospc, ENOSPC, nil),
    (.enospc, EDQUOT, nil),
  ]

  @Test(arguments: decisions)
  func policyDecides(policy: ErrorPolicy, code: Int32, expected: BlockResult?) {
    let drive = drive(write: policy, read: policy)
    for operation in [BlockOperation.read, .write, .flush, .discard] {
      drive.submit(request(operation))
      device.answer(.failed(code: code))
      #expect(owner.results == (expected.map { [$0] } ?? []))
      #expect(drive.isStopped == (expected == nil))
      drive.retryStopped()
      device.drain()
      owner.results = []
    }
  }

  @Test func theGuestsOwnMistakesAreReportedToIt() {
    let drive = drive(write: .stop, read: .stop)
    drive.submit(request(.write, offset: 1 << 20))
    device.answer(.failed(code: ENOSPC))
    device.isReadOnly = true
    drive.submit(request(.write))
    device.answer(.failed(code: EROFS))
    #expect(owner.results == [.failed(code: ENOSPC), .failed(code: EROFS)])
    #expect(!drive.isStopped)
  }

  @Test func heldRequestsCanBeCancelled() {
    let drive = drive(write: .stop)
    let held = request(.write)
    drive.submit(held)
    device.answer(.failed(code: EIO))
    drive.cancel(held)
    #expect(owner.results == [.cancelled])
    #expect(!drive.isStopped)
    let pending = request(.write)
    drive.submit(pending)
    drive.cancel(pending)
    #expect(owner.results == [.cancelled, .cancelled])
  }

  @Test func changesTheMediumWhenItIsQuiet() {
    let drive = drive(write: .stop)
    drive.observer = owner
    drive.submit(request(.write))
    device.answer(.failed(code: EIO))
    drive.submit(request(.read))
    let other = ScriptedDevice()
    #expect(drive.change(medium: other) === device)
    // What was under way ended on the old medium; what was held lost it.
    #expect(owner.results == [.success, .failed(code: ENOMEDIUM)])
    #expect(owner.mediumChanges == 1)
    drive.submit(request(.read))
    #expect(other.pending.count == 1)
    other.answer(.success)
    #expect(drive.change(medium: nil) === other)
    drive.submit(request(.read))
    #expect(owner.results.last == .failed(code: ENOMEDIUM))
  }

  /// A file system that is really full. Skipped where none can be mounted.
  @Test func goesOnWhenTheHostsDiskHasRoomAgain() throws {
    let harness = try BlockHarness()
    let directory = harness.directory.path + "/small"
    mkdir(directory, 0o700)
    defer { rmdir(directory) }
    guard shell("mount -t tmpfs -o size=64k martlet-test '\(directory)'") != nil else { return }
    defer { _ = shell("umount '\(directory)'") }
    let image = "\(directory)/disk"
    let ballast = "\(directory)/ballast"
    _ = shell("truncate -s 1M '\(image)' && dd if=/dev/zero of='\(ballast)' bs=4k count=12")
    let medium = try harness.open(image)
    let drive = Drive(name: "hd", kind: .disk, serial: "", medium: medium)
    var messages: [String] = []
    drive.onStop = { messages.append($0) }
    let bytes = pattern(32 << 10)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 4096)
    defer { buffer.deallocate() }
    buffer.copyBytes(from: bytes)
    let request = harness.request(.write, offset: 4096, buffer: buffer)
    harness.lock.withLock { drive.submit(request) }
    while harness.lock.withLock({ messages.isEmpty && request.isInFlight }) {
      harness.loop.runOnce(timeoutMilliseconds: 1000)
    }
    #expect(request.isInFlight && drive.isStopped)
    #expect(messages.count == 1 && messages.first?.contains(image) == true)
    unlink(ballast)
    harness.lock.withLock { drive.retryStopped() }
    #expect(harness.wait(for: request) == .success)
    #expect(harness.read(medium, at: 4096, bytes.count) == (.success, bytes))
    // A file system without FALLOC_FL_ZERO_RANGE: zeroes are written.
    let zeroes = harness.request(.writeZeroes, offset: 8192, byteCount: 8192)
    #expect(harness.perform(zeroes, on: medium) == .success)
    #expect(harness.read(medium, at: 8192, 8192).1.allSatisfy { $0 == 0 })
    harness.close(medium)
  }
}
