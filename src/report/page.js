// Buttons play one segment of an excerpt, and a line follows the playback.
for (const card of document.querySelectorAll("[data-start]")) {
  const audio = card.querySelector("audio"), line = card.querySelector(".playhead");
  if (!audio) continue;
  let end = Infinity;
  const follow = () => {
    if (audio.currentTime >= end) { audio.pause(); end = Infinity; }
    const x = audio.currentTime / card.dataset.length * 1000;
    line.setAttribute("x1", x); line.setAttribute("x2", x);
    if (!audio.paused) requestAnimationFrame(follow);
  };
  audio.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
    card.classList.add("playing"); follow();
  });
  audio.addEventListener("seeked", follow);
  for (const button of card.querySelectorAll("button")) button.addEventListener("click", () => {
    audio.currentTime = Math.max(0, button.dataset.from - card.dataset.start);
    end = button.dataset.to - card.dataset.start;
    audio.play();
  });
}
