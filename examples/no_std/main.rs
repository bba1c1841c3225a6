//! A program without the standard library that receives a secret and signs: it brings its own
//! allocator and panic handler, which could not link beside the standard library's.
//!
//! It exits with 0 if all went well. On a device the generator is the hardware's, and the allocator
//! gives memory back.
#![no_std]
#![no_main]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::convert::Infallible;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicUsize, Ordering};

use pqc_core::{
    BoxKey, Context, DecapsulationKey, Error, KemAlgorithm, SignatureAlgorithm, SigningKey,
};
use rand_core::{TryCryptoRng, TryRng};

fn flow() -> Result<bool, Error> {
    let mut rng = Counting(0);
    let receiver = DecapsulationKey::generate(KemAlgorithm::MlKem768, &mut rng)?;
    let (ciphertext, sent) = receiver.encapsulation_key().encapsulate_unattested(&mut rng)?;
    let received = receiver.decapsulate(&ciphertext)?;

    let sealed = BoxKey::from_caller(sent.as_secret()).seal(b"text", b"", &mut rng)?;
    let opened = BoxKey::from_caller(received.as_secret()).open(&sealed, b"")?;

    let signer = SigningKey::generate(SignatureAlgorithm::MlDsa65, &mut rng)?;
    let signature = signer.sign(b"text", Context::EMPTY, &mut rng)?;
    let verified = signer.verifying_key().verify(b"text", Context::EMPTY, &signature);
    Ok(verified && opened.expose_bytes() == b"text")
}

/// What C's start code calls.
#[unsafe(no_mangle)]
pub extern "C" fn main() -> i32 {
    i32::from(flow() != Ok(true))
}

#[link(name = "c")]
unsafe extern "C" {
    fn abort() -> !;
}

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: it takes nothing and does not return.
    unsafe { abort() }
}

/// `alloc` comes compiled for programs that unwind, and names these two; nothing here unwinds.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    // SAFETY: it takes nothing and does not return.
    unsafe { abort() }
}

/// Hands out 1 MiB once, from the start.
struct Arena {
    memory: UnsafeCell<[u8; 1 << 20]>,
    used: AtomicUsize,
}

#[global_allocator]
static ARENA: Arena = Arena { memory: UnsafeCell::new([0; 1 << 20]), used: AtomicUsize::new(0) };

// SAFETY: `used` gives each byte of the memory to one caller only.
unsafe impl Sync for Arena {}

// SAFETY: blocks are aligned, inside the memory, and never given twice.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.memory.get().cast::<u8>();
        let taken = self.used.fetch_add(layout.size() + layout.align(), Ordering::Relaxed);
        let at = taken + start.wrapping_add(taken).align_offset(layout.align());
        if at + layout.size() > 1 << 20 { null_mut() } else { start.wrapping_add(at) }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

/// Gives 00, 01, 02, …: for an example alone.
struct Counting(u8);

impl TryRng for Counting {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for byte in bytes {
            *byte = self.0;
            self.0 = self.0.wrapping_add(1);
        }
        Ok(())
    }
}

impl TryCryptoRng for Counting {}
